package gatehouse

// Access is what a token may do with data. The values are those of VictoriaMetrics Cloud's API.
type Access string

const (
	Read      Access = "r"
	Write     Access = "w"
	ReadWrite Access = "rw"
)

// ParseAccess reads "r", "w" or "rw".
func ParseAccess(s string) (Access, error) {
	switch a := Access(s); a {
	case Read, Write, ReadWrite:
		return a, nil
	}
	return "", InvalidField("access", "the access level %q is unknown; choose r (read), w (write) or rw (both)", shorten(s))
}

// CanRead reports whether the token may query.
func (a Access) CanRead() bool { return a == Read || a == ReadWrite }

// CanWrite reports whether the token may send data.
func (a Access) CanWrite() bool { return a == Write || a == ReadWrite }

// Label is the access as the screen shows it.
func (a Access) Label() string {
	switch a {
	case Read:
		return "Read"
	case Write:
		return "Write"
	case ReadWrite:
		return "Read/Write"
	}
	return string(a)
}
