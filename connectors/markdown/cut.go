package markdown

import "unicode/utf8"

// fit returns d, or as much of it as keeps size within limit. A limit of 0 or less is none.
func fit(d Document, limit int, size func(Document) int) Document {
	if limit <= 0 || size(d) <= limit {
		return d
	}
	best, low, high := d.cut(0), 1, limit
	for low <= high {
		mid := (low + high) / 2
		if c := d.cut(mid); size(c) <= limit {
			best, low = c, mid+1
		} else {
			high = mid - 1
		}
	}
	return best
}

// cut returns the first n runes of text of d and an ellipsis in the place where it was cut.
func (d Document) cut(n int) Document {
	c := cutter{left: n}
	out := Document{blocks: c.blocks(d.blocks)}
	if c.cut && !c.marked {
		out.blocks = append(out.blocks, block{kind: paragraph, spans: []span{{text: ellipsis}}})
	}
	return out
}

// cutter walks a document until left runes are used up.
type cutter struct {
	left   int
	cut    bool // something was left out
	marked bool // and the ellipsis says so
}

func (c *cutter) blocks(in []block) []block {
	var out []block
	for _, b := range in {
		if c.cut || c.left <= 0 {
			c.cut = true
			break
		}
		b.spans, b.blocks = c.spans(b.spans), c.blocks(b.blocks)
		b.text = c.text(b.text)
		out = append(out, b)
	}
	return out
}

func (c *cutter) spans(in []span) []span {
	var out []span
	for _, s := range in {
		if c.cut {
			break
		}
		if c.left <= 0 {
			c.cut, c.marked = true, true
			return append(out, span{text: ellipsis})
		}
		if s.br {
			c.left--
		}
		s.text = c.text(s.text)
		out = append(out, s)
	}
	return out
}

func (c *cutter) text(text string) string {
	n := utf8.RuneCountInString(text)
	if n <= c.left {
		c.left -= n
		return text
	}
	text = firstRunes(text, c.left) + ellipsis
	c.left, c.cut, c.marked = 0, true, true
	return text
}
