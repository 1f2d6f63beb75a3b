package webhook

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/drawbridge-itsm/drawbridge/mapping"
)

// pointer is a JSON pointer (RFC 6901), cut at its slashes.
type pointer []string

var pointerEscapes = strings.NewReplacer("~1", "/", "~0", "~")

func parsePointer(text string) (pointer, error) {
	keys := strings.Split(text, "/")
	if keys[0] != "" || len(keys) < 2 {
		return nil, errors.New("a JSON pointer starts with /")
	}
	for i, key := range keys {
		if strings.Contains(strings.NewReplacer("~0", "", "~1", "").Replace(key), "~") {
			return nil, errors.New("in a JSON pointer ~ is written ~0, and / in a key ~1")
		}
		keys[i] = pointerEscapes.Replace(key)
	}
	return keys[1:], nil
}

func (p pointer) String() string {
	var b strings.Builder
	for _, key := range p {
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key))
	}
	return b.String()
}

// find returns what p leads to in v, nil where there is no such thing.
func (p pointer) find(v any) any {
	for _, key := range p {
		switch at := v.(type) {
		case map[string]any:
			v = at[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(at) || strconv.Itoa(i) != key {
				return nil
			}
			v = at[i]
		default:
			return nil
		}
	}
	return v
}

// path is one setting that says where a value is: a JSON pointer, or a text with expressions.
type path struct {
	name, text string
	// id: the text is taken as it stands, and is absent where a part of it is: half an id would be another's.
	id bool
}

// finder finds the values of several paths.
type finder struct {
	pointers map[string]pointer
	ids      map[string]*mapping.SettingText
	rest     *mapping.Setting // what is neither, by name; nil: there is nothing
}

// finder compiles paths that are not empty. names is what their expressions may use.
func (c *compiler) finder(paths []path, names mapping.Names) *finder {
	found := &finder{pointers: map[string]pointer{}, ids: map[string]*mapping.SettingText{}}
	rest := map[string]any{}
	for _, p := range paths {
		switch {
		case p.text == "":
		case strings.HasPrefix(p.text, "/"):
			parsed, err := parsePointer(p.text)
			if err != nil {
				c.add(p.name, "%v", err)
			}
			found.pointers[p.name] = parsed
		case p.id:
			compiled, err := mapping.CompileSettingText(p.name, p.text, names)
			c.compile(err)
			found.ids[p.name] = compiled
		default:
			rest[p.name] = p.text
		}
	}
	if len(rest) > 0 {
		found.rest = c.setting("", rest, names)
	}
	return found
}

// find returns the values that are there, by the names of their paths. Pointers lead into root, in is what expressions
// see.
func (f *finder) find(ctx context.Context, root any, in map[string]any) (values, error) {
	found := values{}
	if f.rest != nil {
		computed, err := f.rest.Eval(ctx, in)
		if err != nil {
			return nil, err
		}
		found, _ = computed.(map[string]any)
	}
	for name, p := range f.pointers {
		if v := p.find(root); v != nil {
			found[name] = v
		}
	}
	for name, text := range f.ids {
		id, present, err := text.Value(ctx, in)
		if err != nil {
			return nil, err
		}
		if present {
			found[name] = id
		}
	}
	return found, nil
}
