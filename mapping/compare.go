package mapping

// equal compares two values. Numbers are equal by value.
func equal(m *meter, a, b any) (bool, error) {
	if err := m.spend(1); err != nil {
		return false, err
	}
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && x == y, nil
	}
	switch x := a.(type) {
	case nil:
		return b == nil, nil
	case bool:
		y, ok := b.(bool)
		return ok && x == y, nil
	case string:
		y, ok := b.(string)
		return ok && x == y, nil
	case markup:
		return false, fault("Markdown is compared")
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false, nil
		}
		for key, one := range x {
			other, ok := y[key]
			if !ok {
				return false, nil
			}
			if same, err := equal(m, one, other); err != nil || !same {
				return false, err
			}
		}
		return true, nil
	}
	n := length(a)
	if n < 0 || b == nil || length(b) != n {
		return false, nil
	}
	for i := range n {
		if same, err := equal(m, item(a, i), item(b, i)); err != nil || !same {
			return false, err
		}
	}
	return true, nil
}

// set answers whether a constant list of scalars holds a value.
type set map[any]struct{}

func newSet(list []any) set {
	s := make(set, len(list))
	for _, v := range list {
		s[setKey(v)] = struct{}{}
	}
	return s
}

// setKey returns v so that equal scalars are equal keys; what is no scalar is in no set.
func setKey(v any) any {
	if n, ok := number(v); ok {
		return n
	}
	switch v.(type) {
	case nil, bool, string:
		return v
	}
	return struct{}{}
}

func (s set) has(v any) bool {
	_, ok := s[setKey(v)]
	return ok
}

// contains is the operator in.
func contains(m *meter, v, in any) (bool, error) {
	switch in := in.(type) {
	case nil:
		return false, nil
	case map[string]any:
		key, ok := v.(string)
		if !ok {
			return false, nil
		}
		_, ok = in[key]
		return ok, nil
	}
	n := length(in)
	if n < 0 {
		return false, faultf("the right side of in is %s, not a list", kindOf(in))
	}
	for i := range n {
		if same, err := equal(m, v, item(in, i)); err != nil || same {
			return same, err
		}
	}
	return false, nil
}
