package gatehouse

import (
	"unicode"
	"unicode/utf8"
)

// MaxNameLength is the greatest length of a name in characters.
const MaxNameLength = 100

// CheckName checks the name of a deployment or token: 1 to 100 characters, valid UTF-8, no control characters, no white space at
// either end (two names that look alike would be told apart by nobody).
func CheckName(name string) error {
	switch n := utf8.RuneCountInString(name); {
	case n == 0:
		return InvalidField("name", "the name is empty; write 1 to %d characters", MaxNameLength)
	case n > MaxNameLength:
		return InvalidField("name", "the name has %d characters; write at most %d", n, MaxNameLength)
	case !utf8.ValidString(name):
		return InvalidField("name", "the name is not valid UTF-8 text; type it again")
	}
	for _, r := range name {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return InvalidField("name", "the name holds the invisible character %U; remove it", r)
		}
	}
	first, _ := utf8.DecodeRuneInString(name)
	last, _ := utf8.DecodeLastRuneInString(name)
	if unicode.IsSpace(first) || unicode.IsSpace(last) {
		return InvalidField("name", "the name begins or ends with a space; remove it")
	}
	return nil
}

// shorten keeps what an error repeats of its input small enough for one line.
func shorten(s string) string {
	const most = 40
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}
