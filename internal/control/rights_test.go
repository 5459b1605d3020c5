package control

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
)

// recordTables are those in which a refused attempt leaves its record.
var recordTables = []string{"audit", "sqlite_sequence"}

// rights is a server with one of each kind of actor, and something of each kind to act on.
type rights struct {
	*server
	prod, other      gatehouse.Deployment
	token, readToken gatehouse.Token
	key              gatehouse.APIKey
	user             gatehouse.User
	actors           map[rune]gatehouse.Actor
	names            map[string]int
}

// The actors by the letters that stand for them below.
const (
	stranger    = '-'
	unknownRole = '?'
	aViewer     = 'V'
	anEditor    = 'E'
	anAdmin     = 'A'
	readKey     = 'r' // read-only, for all deployments
	prodKey     = 's' // Read/Write, for the deployment prod
	otherKey    = 'o' // Read/Write, for another deployment
	fullKey     = 'f' // Read/Write, for all deployments
)

func newRights(t *testing.T) *rights {
	s := newServer(t, nil)
	r := &rights{server: s, prod: s.connect(t, "prod"), other: s.connect(t, "other"), names: map[string]int{}}
	s.settle = 0
	r.readToken, _ = s.token(t, r.prod.ID, "reads")
	tokens, _, err := s.Tokens(t.Context(), root, gatehouse.TokenQuery{DeploymentID: r.prod.ID, Search: gatehouse.DefaultTokenName})
	must(t, err)
	r.token = tokens[0]
	r.key, _, err = s.CreateAPIKey(t.Context(), root, gatehouse.NewAPIKey{Name: "key"})
	must(t, err)
	r.user = s.user(t, "user@example.com", gatehouse.Viewer)
	s.user(t, "last@example.com", gatehouse.Admin)
	person := func(role gatehouse.Role) gatehouse.Actor {
		return personAt(s.user(t, string(role)+"@example.com", role), "192.0.2.7")
	}
	key := func(name string, readOnly bool, deployments ...string) gatehouse.Actor {
		return s.holder(t, gatehouse.NewAPIKey{Name: name, ReadOnly: readOnly, Deployments: deployments})
	}
	r.actors = map[rune]gatehouse.Actor{
		stranger: {}, unknownRole: {Kind: gatehouse.Person, ID: "root", Name: "root", Role: "root"},
		aViewer: person(gatehouse.Viewer), anEditor: person(gatehouse.Editor), anAdmin: person(gatehouse.Admin),
		readKey: key("reads", true), prodKey: key("prod only", false, r.prod.ID), otherKey: key("other only", false, r.other.ID), fullKey: key("all", false),
	}
	return r
}

// fresh makes a name that is new.
func (r *rights) fresh(prefix string) string {
	r.names[prefix]++
	return fmt.Sprintf("%s%d", prefix, r.names[prefix])
}

// method is a method of Control, with who may call it.
type method struct {
	name   string // of the method, then words that tell several cases apart
	may    string // letters of the actors
	writes bool   // a call changes something or is recorded
	// prepare makes what the call acts on, before anybody looks at what is stored. May be nil.
	prepare func(t *testing.T, a gatehouse.Actor) string
	call    func(a gatehouse.Actor, victim string) error
}

// The whole matrix of methods and actors. docs/roles.md shows it to users.
func TestOnlyWhoHasTheRightMayCallAMethod(t *testing.T) {
	r := newRights(t)
	methods := slices.Concat(r.deploymentMethods(t), r.tokenMethods(t), r.ruleMethods(t), r.apiKeyMethods(t), r.userMethods(t), r.ownMethods(t), r.auditMethods(t))
	for _, m := range methods {
		for letter, actor := range r.actors {
			t.Run(fmt.Sprintf("%s by %c", m.name, letter), func(t *testing.T) {
				victim := ""
				if m.prepare != nil {
					victim = m.prepare(t, actor)
				}
				if strings.ContainsRune(m.may, letter) {
					r.wantAllowed(t, m, actor, victim)
				} else {
					r.wantRefused(t, m, actor, victim)
				}
			})
		}
	}
	t.Run("no method is forgotten", func(t *testing.T) {
		var listed []string
		for _, m := range methods {
			name, _, _ := strings.Cut(m.name, " ")
			listed = append(listed, name)
		}
		type_ := reflect.TypeFor[*Control]()
		for i := range type_.NumMethod() {
			method := type_.Method(i)
			takesActor := method.Type.NumIn() > 2 && method.Type.In(2) == reflect.TypeFor[gatehouse.Actor]()
			if takesActor != slices.Contains(listed, method.Name) {
				t.Errorf("the method %s takes an actor: %v; it is listed above: %v", method.Name, takesActor, !takesActor)
			}
		}
	})
}

// wantAllowed fails unless the call works, and leaves records of its actor exactly when it writes.
func (r *rights) wantAllowed(t *testing.T, m method, actor gatehouse.Actor, victim string) {
	before := r.dump(t)
	events := r.newRecords(t, func() { must(t, m.call(actor, victim)) })
	if changed := r.dump(t) != before; changed != m.writes {
		t.Errorf("it has changed something: %v", changed)
	}
	if m.writes != (len(events) > 0) {
		t.Errorf("it has left the records %+v", events)
	}
	for _, e := range events {
		if e.Action == gatehouse.Denied || e.Actor.ID != actor.ID || e.Actor.Name != actor.Name || e.Actor.Kind != actor.Kind {
			t.Errorf("it has left the record %+v", e)
		}
	}
}

// wantRefused fails unless the call is refused and does nothing but leave one record of that. Strangers leave none.
func (r *rights) wantRefused(t *testing.T, m method, actor gatehouse.Actor, victim string) {
	before := r.dump(t, recordTables...)
	var err error
	r.denials.take() // each call has a minute of its own
	events := r.newRecords(t, func() { err = m.call(actor, victim) })
	if r.dump(t, recordTables...) != before {
		t.Error("it is refused, and yet it has changed something")
	}
	if actor.Role == "" {
		wantError(t, err, gatehouse.Unauthenticated, "sign in")
		if len(events) > 0 {
			t.Errorf("a stranger leaves the records %+v", events)
		}
		return
	}
	wantError(t, err, gatehouse.Forbidden)
	if len(events) != 1 || events[0].Action != gatehouse.Denied || events[0].Actor.ID != actor.ID || events[0].Details["right"] == "" {
		t.Errorf("the refused attempt left the records %+v", events)
	}
}

func TestRefusedDeletionsDeleteNothing(t *testing.T) {
	s := newServer(t, nil)
	prod := s.connect(t, "prod")
	token, _ := s.token(t, prod.ID, "token")
	before := s.dump(t, recordTables...)
	for _, actor := range []gatehouse.Actor{{}, person("root"), person(gatehouse.Viewer)} {
		if s.DeleteDeployment(t.Context(), actor, prod.ID) == nil || s.RevokeToken(t.Context(), actor, token.ID) == nil {
			t.Errorf("a %q may delete", actor.Role)
		}
	}
	if s.dump(t, recordTables...) != before {
		t.Error("something was deleted")
	}
}

func TestTheRefusalDoesNotTellWhatThereIs(t *testing.T) {
	s := newServer(t, nil)
	d := s.connect(t, "prod")
	viewer := person(gatehouse.Viewer)
	_, there := s.Token(t.Context(), viewer, d.ID)
	_, gone := s.Token(t.Context(), viewer, "gone")
	if there.Error() != gone.Error() {
		t.Errorf("%q and %q differ", there, gone)
	}
	wantError(t, there, gatehouse.Forbidden, `"viewer"`, "list access tokens", "ask an admin")
	_, err := s.Deployments(t.Context(), gatehouse.Actor{})
	wantError(t, err, gatehouse.Unauthenticated, "sign in")
}
