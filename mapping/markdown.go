package mapping

import (
	"net/url"
	"strings"
	"unicode"
)

// markup is text that is Markdown already. Only Markdown functions make it, and expressions can do nothing with it but
// return it.
type markup struct{ text string }

// clean removes what nobody can see but what changes how a text is read: control characters, and marks that turn the
// direction of writing.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
			return -1
		case r == '\u2028', r == '\u2029':
			return '\n'
		}
		return r
	}, strings.ReplaceAll(validText(text), "\r\n", "\n"))
}

// oneLine makes text fit for a field that has one line.
func oneLine(text string) string { return strings.Join(strings.Fields(clean(text)), " ") }

// EscapeMarkdown makes text appear in Markdown as it is, without what cannot be seen in it. It stays inside the paragraph it is put in: blank lines are dropped,
// and line ends are hard.
func EscapeMarkdown(text string) string {
	var lines []string
	for line := range strings.SplitSeq(clean(text), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, escapeLine(line))
		}
	}
	return strings.Join(lines, "  \n")
}

func escapeLine(line string) string {
	var b strings.Builder
	b.Grow(len(line) + len(line)/8)
	start := 0
	// What is markup only at the start of a line: headings, lists, underlines, ordered lists.
	if digits := len(line) - len(strings.TrimLeft(line, "0123456789")); digits < len(line) {
		special, rest := line[digits], line[digits+1:]
		if digits == 0 && strings.IndexByte("#+-=", special) >= 0 || digits > 0 && special == '.' && (rest == "" || rest[0] == ' ') {
			b.WriteString(line[:digits] + `\` + string(special))
			start = digits + 1
		}
	}
	for i := start; i < len(line); i++ {
		c := line[i]
		switch c {
		case '\\', '`', '*', '_', '[', ']', '(', ')', '<', '>', '~', '|', '&', '@', '!':
			b.WriteByte('\\')
		case ':':
			if strings.HasPrefix(line[i+1:], "//") {
				b.WriteByte('\\')
			}
		case '.':
			if i >= 3 && strings.EqualFold(line[i-3:i], "www") {
				b.WriteByte('\\')
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}

// codeSpan shows text in code type, on one line.
func codeSpan(text string) string {
	text = oneLine(text)
	if text == "" {
		return ""
	}
	longest, run := 0, 0
	for _, r := range text {
		if r == '`' {
			run++
		} else {
			run = 0
		}
		longest = max(longest, run)
	}
	fence := strings.Repeat("`", longest+1)
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") {
		text = " " + text + " "
	}
	return fence + text + fence
}

// quotation shows text as a quotation, line by line.
func quotation(text string) string {
	lines := strings.Split(strings.TrimSpace(clean(text)), "\n")
	for i, line := range lines {
		line = strings.TrimRight("> "+escapeLine(strings.TrimSpace(line)), " ")
		if i < len(lines)-1 && line != ">" {
			line += "  "
		}
		lines[i] = line
	}
	return strings.Join(lines, "\n")
}

// hyperlink shows text as a link where address is one a browser may be sent to, else the text alone.
func hyperlink(text, address string) string {
	label := EscapeMarkdown(oneLine(text))
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return label
	}
	if label == "" {
		label = EscapeMarkdown(oneLine(address))
	}
	return "[" + label + "](<" + strings.NewReplacer("<", "%3C", ">", "%3E", `\`, "%5C", "\n", "", "&", `\&`).Replace(u.String()) + ">)"
}
