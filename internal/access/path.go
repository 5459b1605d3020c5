package access

import (
	"errors"
	"net/url"
	"strings"
)

var errMalformedPath = errors.New("the path holds an invalid escape, a control byte, or a . or .. segment")

// CleanPath normalises the path of a request, whose escapes have been decoded exactly once, as net/url does: runs of slashes become one, as clients do send "//"; a
// trailing slash stays. It refuses what two programs might read differently: control bytes and the segments . and .. (a slash
// that came as %2F splits segments like any other: VictoriaMetrics decodes before it splits).
func CleanPath(path string) (string, error) {
	if path == "" || path[0] != '/' {
		return "", errMalformedPath
	}
	double := false
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c < ' ' || c == 0x7f:
			return "", errMalformedPath
		case c == '/' && dotSegment(path[i+1:]):
			return "", errMalformedPath
		case c == '/' && i > 0 && path[i-1] == '/':
			double = true
		}
	}
	if double {
		path = foldSlashes(path)
	}
	return path, nil
}

// dotSegment reports whether the first segment of s is . or ..
func dotSegment(s string) bool {
	if s == "" || s[0] != '.' {
		return false
	}
	s = s[1:]
	if s != "" && s[0] == '.' {
		s = s[1:]
	}
	return s == "" || s[0] == '/'
}

func foldSlashes(path string) string {
	var b strings.Builder
	b.Grow(len(path))
	for i := 0; i < len(path); i++ {
		if path[i] != '/' || i == 0 || path[i-1] != '/' {
			b.WriteByte(path[i])
		}
	}
	return b.String()
}

// setPath makes u ask for exactly the decoded path, however it has to be escaped. net/url leaves ";" alone, but some servers
// between here and the backend cut a path there.
func setPath(u *url.URL, path string) {
	u.Path, u.RawPath = path, ""
	if strings.Contains(path, ";") {
		u.RawPath = strings.ReplaceAll(u.EscapedPath(), ";", "%3B")
	}
}
