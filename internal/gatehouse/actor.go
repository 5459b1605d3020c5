package gatehouse

// ActorKind says what kind of party acts.
type ActorKind string

const (
	Person      ActorKind = "person"
	KeyHolder   ActorKind = "api_key"      // whoever holds an API key
	CommandLine ActorKind = "command_line" // someone who can write the data directory
	System      ActorKind = "system"       // Gatehouse itself, such as on its first start
)

// Actor is who asks for something. Every method of control takes one first; the audit log records it.
type Actor struct {
	Kind ActorKind
	ID   string // of the user or API key
	Name string // email of a Person, name of an API key, name of the operating system's user on the command line
	Role Role
	Addr string // client address without port; empty on the command line

	ReadOnly    bool     // of an API key: changes nothing
	Deployments []string // of an API key: the only ones that it may touch; nil: all
}

// Can reports whether the actor carries the right everywhere: for what belongs to no deployment, and for making one.
func (a Actor) Can(right Right) bool { return a.may(right) && a.Deployments == nil }

// CanOn reports whether the actor carries the right for the deployment.
func (a Actor) CanOn(right Right, deploymentID string) bool {
	return a.may(right) && covers(a.Deployments, deploymentID)
}

// CanSomewhere reports whether the actor carries the right for at least one deployment; lists then show only those.
func (a Actor) CanSomewhere(right Right) bool { return a.may(right) }

func (a Actor) may(right Right) bool { return a.Role.Can(right) && !(a.ReadOnly && right.changes()) }

// Creator is how lists name the actor as the maker of something.
func (a Actor) Creator() string {
	switch a.Kind {
	case CommandLine:
		return "command line"
	case System:
		return "Gatehouse"
	case KeyHolder:
		return "API key " + a.Name
	}
	return a.Name
}
