package connectortest

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"
)

// tree is a JSON value that can be changed in one place and written again, wrong JSON included.
type tree struct {
	open byte // { or [, 0 for a value without kids
	raw  string
	kids []*tree
	keys []string // of an object's kids
	twin string   // written a second time under the same key
}

func readTree(body []byte) (*tree, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	n, err := readNode(d)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, io.ErrUnexpectedEOF
	}
	return n, nil
}

func readNode(d *json.Decoder) (*tree, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		raw, err := json.Marshal(token)
		return &tree{raw: string(raw)}, err
	}
	n := &tree{open: byte(delim)}
	for d.More() {
		if n.open == '{' {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			n.keys = append(n.keys, key.(string))
		}
		kid, err := readNode(d)
		if err != nil {
			return nil, err
		}
		n.kids = append(n.kids, kid)
	}
	_, err = d.Token()
	return n, err
}

// String writes the value.
func (n *tree) String() string {
	var b strings.Builder
	n.write(&b)
	return b.String()
}

func (n *tree) write(b *strings.Builder) {
	if n.open == 0 {
		b.WriteString(n.raw)
		return
	}
	b.WriteByte(n.open)
	for i, kid := range n.kids {
		if i > 0 {
			b.WriteByte(',')
		}
		if n.open == '{' {
			b.WriteString(strconv.Quote(n.keys[i]) + ":")
		}
		kid.write(b)
		if kid.twin != "" {
			b.WriteString("," + strconv.Quote(n.keys[i]) + ":" + kid.twin)
		}
	}
	b.WriteByte(n.open + 2) // } and ] stand two after { and [
}

// paths lists the places of all members and elements.
func (n *tree) paths(at []string) [][]string {
	var all [][]string
	for i, kid := range n.kids {
		name := strconv.Itoa(i)
		if n.open == '{' {
			name = n.keys[i]
		}
		here := append(slices.Clone(at), name)
		all = append(append(all, here), kid.paths(here)...)
	}
	return all
}

// at returns the value at a place that is there.
func (n *tree) at(path []string) *tree {
	for _, name := range path {
		i, _ := strconv.Atoi(name)
		if n.open == '{' {
			i = slices.Index(n.keys, name)
		}
		n = n.kids[i]
	}
	return n
}

// with writes the value as it is after a change in one place, and leaves it as it was.
func (n *tree) with(path []string, change func(*tree)) []byte {
	kid := n.at(path)
	before := *kid
	change(kid)
	text := n.String()
	*kid = before
	return []byte(text)
}
