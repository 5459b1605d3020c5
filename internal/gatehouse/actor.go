package gatehouse

// ActorKind says what kind of party acts.
type ActorKind string

const (
	Person      ActorKind = "person"
	CommandLine ActorKind = "command_line" // someone who can write the data directory
	System      ActorKind = "system"       // Gatehouse itself, on its first start
)

// Actor is who asks for something. Every method of control takes one first; the audit log records it.
type Actor struct {
	Kind ActorKind
	ID   string // user ID, for a Person
	Name string // email of a Person, name of the operating system's user on the command line
	Role Role
	Addr string // client address without port; empty on the command line
}

// Can reports whether the actor carries the right.
func (a Actor) Can(right Right) bool { return a.Role.Can(right) }

// Creator is how lists name the actor as the maker of something.
func (a Actor) Creator() string {
	switch a.Kind {
	case CommandLine:
		return "command line"
	case System:
		return "Gatehouse"
	}
	return a.Name
}
