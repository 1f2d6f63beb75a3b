package mapping

import "strings"

// What the functions of functions.go do is in the files named after what they work on. Each charges the meter before it makes anything large, and takes nothing
// (nil) for the empty text or list, because any field of an event may be missing.

// text reads argument i as text.
func text(args []any, i int) (string, error) {
	switch v := args[i].(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	}
	return "", faultf("%s is given where text is expected", kindOf(args[i]))
}

func texts(args []any) ([]string, error) {
	out := make([]string, len(args))
	for i := range args {
		var err error
		if out[i], err = text(args, i); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// list reads argument i as a list and charges its length.
func list(m *meter, args []any, i int) ([]any, error) {
	n := length(args[i])
	if n < 0 {
		return nil, faultf("%s is given where a list is expected", kindOf(args[i]))
	}
	if err := m.spend(n); err != nil {
		return nil, err
	}
	out, _ := items(args[i])
	return out, nil
}

func onText(do func(string) string) func(*meter, []any) (any, error) {
	return func(m *meter, args []any) (any, error) {
		s, err := text(args, 0)
		if err != nil {
			return nil, err
		}
		if err := m.text(len(s)); err != nil {
			return nil, err
		}
		return do(s), nil
	}
}

func upper(s string) string { return strings.ToUpper(s) }
func lower(s string) string { return strings.ToLower(s) }
func trim(s string) string  { return strings.TrimSpace(s) }

func toText(m *meter, args []any) (any, error) { return boxed(textOf(m, args[0])) }

func boxed(s string, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

func trimPrefix(_ *meter, args []any) (any, error) {
	s, err := texts(args)
	if err != nil {
		return nil, err
	}
	return strings.TrimPrefix(s[0], s[1]), nil
}

func trimSuffix(_ *meter, args []any) (any, error) {
	s, err := texts(args)
	if err != nil {
		return nil, err
	}
	return strings.TrimSuffix(s[0], s[1]), nil
}

func replaceText(m *meter, args []any) (any, error) {
	s, err := texts(args)
	if err != nil {
		return nil, err
	}
	if err := m.spend(len(s[0])); err != nil {
		return nil, err
	}
	n := strings.Count(s[0], s[1])
	if grown := len(s[2]) - len(s[1]); grown > 0 && n > m.room.result/grown {
		return nil, m.tooLong()
	}
	if err := m.text(len(s[0]) + n*(len(s[2])-len(s[1]))); err != nil {
		return nil, err
	}
	return strings.ReplaceAll(s[0], s[1], s[2]), nil
}

func truncateText(m *meter, args []any) (any, error) {
	s, err := text(args, 0)
	if err != nil {
		return nil, err
	}
	n, ok := whole(args[1])
	if !ok || n < 1 {
		return nil, fault("truncate needs a length of at least 1")
	}
	if len(s) <= n {
		return s, m.text(len(s))
	}
	cut, runes := 0, 0
	for i := range s {
		if runes++; runes == n {
			cut = i
		}
		if runes > n {
			return s[:cut] + "…", m.text(cut + 3)
		}
	}
	return s, m.text(len(s))
}

func splitText(m *meter, args []any) (any, error) {
	s, err := texts(args)
	if err != nil {
		return nil, err
	}
	if err := m.spend(len(s[0])); err != nil {
		return nil, err
	}
	if err := m.spend(16 * (strings.Count(s[0], s[1]) + 1)); err != nil {
		return nil, err
	}
	return widen(strings.Split(s[0], s[1])), nil
}

func joinList(m *meter, args []any) (any, error) {
	parts, err := list(m, args, 0)
	if err != nil {
		return nil, err
	}
	separator := ""
	if len(args) > 1 {
		if separator, err = text(args, 1); err != nil {
			return nil, err
		}
	}
	var b strings.Builder
	for i, part := range parts {
		one, err := scalarText(part)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			one = separator + one
		}
		if err := m.text(b.Len() + len(one)); err != nil {
			return nil, err
		}
		m.work -= b.Len() // what is there already was charged before
		b.WriteString(one)
	}
	return b.String(), nil
}

func toMarkup(m *meter, s string) (any, error) {
	if err := m.text(len(s)); err != nil {
		return nil, err
	}
	return markup{s}, nil
}

func onMarkup(m *meter, args []any, do func(string) string) (any, error) {
	s, err := text(args, 0)
	if err != nil {
		return nil, err
	}
	if err := m.text(len(s)); err != nil {
		return nil, err
	}
	return toMarkup(m, do(s))
}

func code(m *meter, args []any) (any, error)  { return onMarkup(m, args, codeSpan) }
func quote(m *meter, args []any) (any, error) { return onMarkup(m, args, quotation) }

func markdown(m *meter, args []any) (any, error) {
	return onMarkup(m, args, func(s string) string { return s })
}

func link(m *meter, args []any) (any, error) {
	s, err := texts(args)
	if err != nil {
		return nil, err
	}
	if err := m.text(len(s[0]) + len(s[1])); err != nil {
		return nil, err
	}
	return toMarkup(m, hyperlink(s[0], s[1]))
}
