package rotation

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
)

// fault is what becomes of one call to a server.
type fault int

const (
	none      fault = iota
	dropped         // never arrived: an error, nothing done
	replyLost       // done, and an error all the same
	diedFirst       // the process died before the call
	diedAfter       // the process died after the server had done it
)

var allFaults = []fault{dropped, replyLost, diedFirst, diedAfter}

func (f fault) String() string {
	return [...]string{"no fault", "request lost", "reply lost", "killed before", "killed after"}[f]
}

// death is the panic of a process that was killed.
type death struct{}

// errNoReply is what an authority's driver returns when an answer was lost.
var errNoReply = errors.New("no reply")

const (
	us      = "campaign-2"
	subject = "uuid-1"
	bystand = "uuid-2" // another account, which nobody may touch
)

// world is a directory and a Vault with one credential, every call to which
// can fail, and which looks after every call whether a promise was broken.
type world struct {
	servers  []*server
	staging  map[string]*ownmount.Staged
	secrets  map[string]*kv
	closed   map[string]bool          // campaigns that have ended
	single   map[string]bool          // secrets of which Vault keeps one version
	deletes  map[string]time.Duration // secrets whose new versions Vault deletes by itself; not nil: they were listed long ago
	fleeting map[string]bool          // secrets that got such a setting after they were listed
	foreign  map[string]bool          // secrets that are not the account's: nothing may be written there
	noted    map[string]placed        // where an earlier campaign put a value, and as which version
	own      []credential.Path        // of which the account accepts what they hold, while nobody else acts
	cred     credential.Credential
	binder   binder
	leftOut  []string // servers that a person took out
	grace    bool     // the previous value keeps working, as in Active Directory
	stubborn bool     // and a reset to the same value does not end that
	first    bool     // the old value opens the live path, so that it is retired before activation
	seenBy   string   // what is set so was readable, and is spent
	person   bool     // retiring is two resets and then must-change, after which the right value is only told to be changed
	maxFails int      // refused logins that lock an account
	locks    int      // and what the policy shows of that; 0: nothing
	dated    bool     // marks are those of OpenLDAP, which wrong logins move
	touches  int      // of dated marks
	setMark  string   // the mark straight after our Set, as the process saw it; lost with it
	twins    bool     // slow twins are at work: what they hold may be outdated

	together bool // replicas are waited for by all of a batch together

	cache *PreparedCache // of the process that lives; nil: none of them remembers

	lives []credential.Finding // what the next Retire finds

	reach Reach // what other logins to Vault, or tokens of this one, could read; nil: nothing

	afterSet func(*world) // what somebody does right after each Set

	faults map[int]fault
	events map[int]func(*world) // what somebody else does just before a call
	calls  int
	upset  int // faults and events so far

	field string // of live paths; empty: password
	parts bool   // values have several

	seen    string // in force on the write server when its account was last looked at
	retired string // the change mark that the process saw after it retired; lost with it

	lockouts int // accounts that our probing locked
	trace    []step
	broken   []string // promises that were broken

	made, marks int
	ours        map[string]bool // values that we generated
	theirs      map[string]bool // values that somebody else put in force
	replayed    map[string]bool // stolen values that somebody put back
	stolen      []string        // values that must die
	intents     map[int]bool    // attempts whose intent is in the ledger
}

// binder is how far the directory's policy binds the worker's identity.
type binder struct {
	history    bool            // no value twice
	safeModify bool            // a reset needs the value in force
	refuses    map[string]bool // values that a quality check refuses
	noRights   bool
	mustChange bool // a reset account must change its password first
}

// kv is one secret with its versions, oldest first.
type kv struct{ versions []version }

// placed is what Rollcall's notes say of a path; the zero value is a note that
// says no version.
type placed struct {
	version int
	at      time.Time
}

type version struct {
	fields    map[string]string
	destroyed bool
	deleted   bool // and can be undeleted
	ends      bool // Vault will delete it
	strangers bool // written by somebody else
	at        time.Time
}

// newWorld has n servers that know the account by value, and one path that
// holds it, beside a field of somebody else.
func newWorld(n int, value string) *world {
	w := &world{
		staging: map[string]*ownmount.Staged{}, secrets: map[string]*kv{}, closed: map[string]bool{}, foreign: map[string]bool{},
		faults: map[int]fault{}, events: map[int]func(*world){},
		ours: map[string]bool{}, theirs: map[string]bool{}, replayed: map[string]bool{}, intents: map[int]bool{},
		cred:     credential.Credential{ID: "corp/" + subject, Kind: credential.LDAPPassword, Authority: "corp", Subject: subject, Name: "uid=svc"},
		maxFails: 5, stolen: []string{value},
	}
	for i := range n {
		w.servers = append(w.servers, &server{name: fmt.Sprintf("ldap%d", i+1), entries: map[string]*entry{
			subject: {history: []string{value}, mark: "t0", refused: map[string]int{}, rejected: map[string]bool{}},
			bystand: {history: []string{"bystander"}, mark: "t0"},
		}})
	}
	w.cred.Spare = &credential.Path{Mount: "kv", Path: "spare", Field: "password"}
	w.secrets["kv/spare"] = &kv{}
	w.addPath("app", value)
	w.secrets["kv/other"] = &kv{versions: []version{{fields: map[string]string{"password": "bystander"}}}}
	return w
}

// addPath makes one more live path. An empty value is a path that does not
// exist yet.
func (w *world) addPath(name, value string) {
	p := credential.Path{Mount: "kv", Path: name, Field: cmp.Or(w.field, "password")}
	w.cred.Paths = append(w.cred.Paths, p)
	w.secrets[place(p)] = &kv{}
	w.cred.Named = append(w.cred.Named, p)
	if value != "" {
		w.strangerWrites(len(w.cred.Paths)-1, value)
		if !slices.Contains(w.stolen, value) {
			w.stolen = append(w.stolen, value)
		}
	}
}

// addForeign makes one more path, which somebody says is the account's and
// which holds another account's value.
func (w *world) addForeign(name, value string) {
	w.addPath(name, value)
	w.stolen = slices.DeleteFunc(w.stolen, func(v string) bool { return v == value })
	w.foreign["kv/"+name] = true
}

// paths are those of the roll and Rollcall's own.
func (w *world) paths() []credential.Path {
	if w.cred.Spare == nil {
		return w.cred.Paths
	}
	return append(slices.Clone(w.cred.Paths), *w.cred.Spare)
}

func place(p credential.Path) string { return p.Mount + "/" + p.Path }

// strangerWrites writes a live path behind our back.
func (w *world) strangerWrites(path int, value string) {
	s := w.secrets[place(w.cred.Paths[path])]
	delete(w.foreign, place(w.cred.Paths[path])) // it may be the account's from now on
	w.own = slices.DeleteFunc(w.own, func(p credential.Path) bool { return p == w.cred.Paths[path] })
	v := version{fields: map[string]string{"username": "svc"}, strangers: true, at: time.Now()}
	v.put(w.cred.Paths[path], w.whole(value))
	s.versions = append(s.versions, v)
}

// whole is a value as those of the world are: with one part missing, or in one
// piece, it would be none.
func (w *world) whole(value string) string {
	if _, several := secret(value).Parts(); !w.parts || several {
		return value
	}
	return inParts(value)
}

// strangerSets changes the password behind our back.
func (w *world) strangerSets(value string) {
	value = w.whole(value)
	w.theirs[value], w.own = true, nil
	w.change(value)
}

// write is the write server's entry.
func (w *world) write() *entry { return w.servers[0].entries[subject] }

// strangerReplays puts a stolen value back in force.
func (w *world) strangerReplays() {
	w.replayed[w.stolen[0]] = true
	w.strangerSets(w.stolen[0])
}

// change puts a value in force on the write server and sends it to the others.
func (w *world) change(value string) {
	w.marks++
	mark := w.mark() // marks only grow, as strings
	w.spread(func(e *entry) {
		if w.stubborn && e.inForce() == value {
			e.mark = mark
			return
		}
		e.replace(value, mark, w.binder.mustChange)
	})
}

// forceChange has the owner change the password at the next log-on.
func (w *world) forceChange() {
	mark := fmt.Sprintf("t%04d must-change", w.marks)
	w.spread(func(e *entry) { e.mark, e.mustChange = mark, true })
}

// spread changes the account on the write server, and on the others when their
// lag is over.
func (w *world) spread(do func(*entry)) {
	for i, s := range w.servers {
		if i == 0 {
			do(s.entries[subject])
			continue
		}
		s.pending = append(s.pending, pending{time.Now().Add(s.lag), func() { do(s.entries[subject]) }})
	}
	w.deliver()
}

// call is one call to a server: what others do comes first, then the fault,
// and after it every promise is checked.
func call[T any](h *hand, name string, lost error, do func() (T, error)) (T, error) {
	w := h.w
	if h.turn != nil {
		h.turn()
	}
	w.calls++
	f := w.faults[w.calls]
	if event := w.events[w.calls]; event != nil {
		w.upset++
		w.note("somebody else acts")
		event(w)
	}
	w.trace = append(w.trace, step{w.calls, name, f})
	if f != none {
		w.upset++
	}
	w.deliver()
	var zero T
	switch f {
	case dropped:
		return zero, lost
	case diedFirst:
		w.die()
	}
	v, err := do()
	w.check()
	switch f {
	case replyLost:
		return zero, lost
	case diedAfter:
		w.die()
	}
	return v, err
}

// die ends the process, and with it what it remembers.
func (w *world) die() {
	w.retired, w.setMark = "", ""
	if w.cache != nil {
		w.cache = NewPreparedCache()
	}
	panic(death{})
}

// deliver brings replicas up to date as far as their lag allows.
func (w *world) deliver() {
	for _, s := range w.servers {
		for len(s.pending) > 0 && !time.Now().Before(s.paused) && !s.pending[0].due.After(time.Now()) {
			s.pending[0].do()
			s.pending = s.pending[1:]
		}
	}
}

// step is one line of what happened. It is worded only if a test fails.
type step struct {
	call  int
	what  string
	fault fault
}

func (s step) String() string {
	if s.fault == none {
		return fmt.Sprintf("%d %s", s.call, s.what)
	}
	return fmt.Sprintf("%d %s: %s", s.call, s.what, s.fault)
}

func (w *world) note(what string) { w.trace = append(w.trace, step{call: w.calls, what: what}) }

// story tells all that happened.
func (w *world) story() string {
	var b strings.Builder
	for _, s := range w.trace {
		fmt.Fprintln(&b, s)
	}
	return b.String()
}

// fail records a broken promise.
func (w *world) fail(format string, args ...any) {
	w.broken = append(w.broken, fmt.Sprintf("at call %d: ", w.calls)+fmt.Sprintf(format, args...))
}

// check holds the world to what must be true at every moment.
func (w *world) check() {
	w.oneValue()
	if now := w.write().inForce(); !w.theirs[now] && !w.inVault(now) {
		w.fail("the value in force (%s) is nowhere in Vault", now)
	}
	if s := w.staging[w.cred.ID]; s != nil && s.Unsent && !s.Freed && slices.Contains(w.write().history, s.Secret.Reveal()) {
		w.fail("%s was set, and the staging entry says that no server has it", s.Secret.Reveal())
	}
	for _, s := range w.servers {
		if e := s.entries[bystand]; e.inForce() != "bystander" || e.mark != "t0" {
			w.fail("another account was touched on %s", s.name)
		}
		for value, n := range s.entries[subject].refused {
			if n > 1+w.upset {
				w.fail("%s was offered %q and refused %d times in a row", s.name, value, n)
			}
		}
	}
	if o := w.secrets["kv/other"]; len(o.versions) != 1 || o.versions[0].destroyed {
		w.fail("another secret was touched")
	}
	for _, p := range w.paths() {
		if vs := w.secrets[place(p)].versions; len(vs) > 0 && (vs[len(vs)-1].destroyed || len(vs) > 1 && vs[len(vs)-1].fields["username"] != "svc" && vs[0].fields["username"] == "svc") {
			w.fail("the current version of %s, or a field beside ours, was lost", p)
		}
	}
}

// inVault reports whether a value is staged or in a version that can be read.
func (w *world) inVault(value string) bool {
	if s := w.staging[w.cred.ID]; s != nil {
		if s.Secret.Equal(secret(value)) || slices.ContainsFunc(slices.Collect(maps.Values(s.Old)), secret(value).Equal) {
			return true
		}
	}
	for _, p := range w.paths() {
		for _, v := range w.secrets[place(p)].versions {
			if held, _ := v.value(p); !v.destroyed && !v.ends && (held == value || v.fields["other"] == value) {
				return true
			}
		}
	}
	return false
}

// live is what consumers read at a path now.
func (w *world) live(path int) string {
	return w.at(w.cred.Paths[path])
}

// spare is what Rollcall's own path holds.
func (w *world) spare() string {
	if w.cred.Spare == nil {
		return ""
	}
	return w.at(*w.cred.Spare)
}

// at is what a path holds now.
func (w *world) at(p credential.Path) string {
	vs := w.secrets[place(p)].versions
	if len(vs) == 0 {
		return ""
	}
	value, _ := vs[len(vs)-1].value(p)
	return value
}

// judge holds a verdict of death against the servers.
func (w *world) judge(a Applied) {
	seen := map[string]bool{}
	for _, ev := range a.Evidence {
		seen[ev.Server] = true
	}
	if !slices.Equal(a.LeftOut, w.leftOut) {
		w.fail("called dead without %v, and left out were %v", a.LeftOut, w.leftOut)
	}
	for _, s := range w.servers {
		if slices.Contains(w.leftOut, s.name) {
			if seen[s.name] {
				w.fail("%s was left out and asked", s.name)
			}
			continue
		}
		if !seen[s.name] {
			w.fail("called dead without evidence from %s", s.name)
		}
		if !s.entries[subject].proved {
			w.fail("called dead, and %s was not seen to accept the new value while it refused the stolen ones", s.name)
		}
		if w.person && !s.entries[subject].forced {
			w.fail("called dead, and the owner is not made to change the temporary value on %s", s.name)
		}
	}
	if w.grace && !w.ours[w.seen] {
		w.fail("called dead, and %q of somebody else was in force when the write server was last looked at", w.seen)
	}
	if a.Proof != protocol.ProofBind && a.Proof != protocol.ProofMetadata {
		w.fail("called dead by proof %q", a.Proof)
	}
	if n := len(w.cred.Paths); len(a.To) != n && len(a.To) != n+1 || len(a.Doomed) != len(a.To) {
		w.fail("%d activated versions for %d paths", len(a.To), n)
	}
	for _, p := range w.own {
		if i := slices.Index(w.paths(), p); a.To[i] == 0 {
			w.fail("called dead, and %s was left, which held what the account accepted", p)
		}
	}
	for i, p := range w.paths() {
		vs := w.secrets[place(p)].versions
		if now := w.at(p); i < len(a.To) && a.To[i] > 0 && now != w.write().inForce() && w.ours[w.write().inForce()] && !vs[len(vs)-1].strangers {
			w.fail("called dead, and %s holds %q, which is not in force", p, now)
		}
	}
}
