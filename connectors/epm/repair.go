package epm

// maxRepair is the longest body that is mended; EPM's own template fills to a few kilobytes.
const maxRepair = 1 << 20

// repair mends JSON into which values were pasted without escaping: control characters in texts are escaped, and where
// any text has a backslash that JSON does not know, every backslash is taken literally, as all values were pasted the
// same way. It reports whether there was anything to mend. It takes time in proportion to the body, invents no value,
// and what it returns need not be valid: a quote pasted in raw cannot be told from the end of a text.
func repair(body []byte) ([]byte, bool) {
	if len(body) > maxRepair {
		return nil, false
	}
	literal := hasUnknownEscape(body)
	out := make([]byte, 0, len(body)+len(body)/8)
	mended, inside := false, false
	for i := 0; i < len(body); i++ {
		b := body[i]
		switch {
		case !inside:
			inside = b == '"'
			out = append(out, b)
		case b == '"':
			inside = false
			out = append(out, b)
		case b == '\\' && i+1 < len(body) && body[i+1] == '"' && !(literal && closes(body[i+2:])):
			out = append(out, '\\', '"')
			i++
		case b == '\\' && literal:
			out = append(out, '\\', '\\')
			mended = true
		case b == '\\' && i+1 < len(body):
			out = append(out, b, body[i+1])
			i++
		case b < 0x20:
			const hex = "0123456789abcdef"
			out = append(out, '\\', 'u', '0', '0', hex[b>>4], hex[b&15])
			mended = true
		default:
			out = append(out, b)
		}
	}
	return out, mended
}

// hasUnknownEscape tells whether a text in body has a backslash before something JSON gives no meaning.
func hasUnknownEscape(body []byte) bool {
	inside := false
	for i := 0; i < len(body); i++ {
		switch {
		case body[i] == '"':
			inside = !inside
		case body[i] == '\\' && inside:
			if !knownEscape(body[i+1:]) {
				return true
			}
			i++
		}
	}
	return false
}

func knownEscape(after []byte) bool {
	if len(after) == 0 {
		return false
	}
	switch after[0] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		if len(after) < 5 {
			return false
		}
		for _, b := range after[1:5] {
			if !(b >= '0' && b <= '9' || b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F') {
				return false
			}
		}
		return true
	}
	return false
}

// closes tells whether a quote followed by after ends a text: C:\temp\ pasted raw puts a backslash before it.
func closes(after []byte) bool {
	comma := false
	for _, b := range after {
		switch b {
		case ' ', '\t', '\r', '\n':
		case ',':
			if comma {
				return false
			}
			comma = true
		case '}', ']':
			return !comma
		case '"':
			return comma
		default:
			return false
		}
	}
	return false
}
