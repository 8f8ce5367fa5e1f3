package rotation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
)

// server is one server of the directory.
type server struct {
	name    string
	entries map[string]*entry
	lag     time.Duration // how long a change takes to get here
	paused  time.Time     // nothing gets here before
	down    time.Time     // it answers nobody before
	pending []pending
}

func (s *server) isDown() bool { return time.Now().Before(s.down) }

type pending struct {
	due time.Time
	do  func()
}

// entry is an account on one server.
type entry struct {
	history    []string // values, the one in force last
	also       []string // that log in besides, until it is set
	mark       string
	since      time.Time
	state      protocol.Reply // empty for an account in order
	mustChange bool
	refused    map[string]int // refused logins in a row in one Apply, by value
	fails      int            // all refused logins in a row
	showsFails bool           // the account shows them, and they are forgotten after a while
	failed     time.Time      // the last of them
	keepsFails bool           // a change leaves them, as in Active Directory
	lockedAt   time.Time      // by refused logins

	// In the Apply that runs: values that were refused here, and whether every
	// stolen one was or would have been by the time of the last good login with
	// a value of ours.
	rejected map[string]bool
	proved   bool
	forced   bool // the owner had to change it at that login
}

func (e *entry) inForce() string { return e.history[len(e.history)-1] }

func (e *entry) replace(value, mark string, mustChange bool) {
	e.history, e.also = append(e.history, value), nil
	e.mark, e.since, e.mustChange = mark, time.Now(), mustChange
	if e.refused = map[string]int{}; !e.keepsFails {
		e.fails = 0
	}
}

// lockDuration is how long refused logins lock an account.
const lockDuration = 3 * time.Minute

func (e *entry) condition() protocol.Reply {
	if !e.lockedAt.IsZero() && time.Since(e.lockedAt) >= lockDuration {
		e.state, e.lockedAt, e.fails, e.refused = "", time.Time{}, 0, map[string]int{}
	}
	if e.showsFails && time.Since(e.failed) >= lockDuration {
		e.fails = 0
	}
	return e.state
}

// accepts reports whether a value logs in. With grace so does the one before.
func (e *entry) accepts(value string, grace bool) bool {
	n := len(e.history)
	return e.history[n-1] == value || grace && n > 1 && e.history[n-2] == value || slices.Contains(e.also, value)
}

// hand is one process at work on the world. It is the Store and the Authority
// of a Rotator.
type hand struct {
	w    *world
	turn func() // waits for this process's turn, where several are at work
}

var _ kind.Authority = (*hand)(nil)

func (h *hand) Servers() []string {
	var out []string
	for _, s := range h.w.servers {
		out = append(out, s.name)
	}
	return out
}

func (h *hand) server(name string) *server {
	i := slices.IndexFunc(h.w.servers, func(s *server) bool { return s.name == name })
	return h.w.servers[i]
}

func (h *hand) Account(_ context.Context, name string, c credential.Credential) (kind.Account, error) {
	return call(h, "account at "+name, error(protocol.StopFor(protocol.Unreachable, name)), func() (kind.Account, error) {
		s := h.server(name)
		if s.isDown() {
			return kind.Account{}, protocol.StopFor(protocol.Unreachable, name)
		}
		e := s.entries[c.Subject]
		if e == nil {
			return kind.Account{Subject: c.Subject, State: protocol.Gone}, nil
		}
		if s == h.w.servers[0] {
			h.w.seen = e.inForce()
		}
		state := e.condition()
		if state == "" {
			state = protocol.Accepted
		}
		a := kind.Account{Subject: c.Subject, Name: c.Name, State: state, Changed: e.mark, Exact: h.w.grace, Locks: h.w.locks}
		if e.showsFails {
			a.Failed, a.NeverSet = e.fails, e.fails > 0 && strings.HasPrefix(e.mark, "/")
		}
		if h.w.grace {
			a.Since = e.since
		}
		return a, nil
	})
}

func (h *hand) Generate(context.Context, credential.Credential) (credential.Secret, error) {
	return call(h, "generate", errNoReply, func() (credential.Secret, error) {
		h.w.made++
		value := fmt.Sprintf("S%d", h.w.made)
		if h.w.parts {
			value = inParts(value)
		}
		h.w.ours[value] = true
		return credential.NewSecret(value), nil
	})
}

func (h *hand) Set(_ context.Context, a kind.Account, new, old credential.Secret) error {
	_, err := call(h, "set "+new.Reveal(), errNoReply, func() (struct{}, error) { return struct{}{}, h.set(a, new.Reveal(), old.Reveal()) })
	return err
}

func (h *hand) set(a kind.Account, new, old string) error {
	w, s := h.w, h.w.servers[0]
	e := s.entries[a.Subject]
	b := w.binder
	refuse := func(r protocol.Reason) error { return &protocol.Stop{Reason: r, Server: s.name, Detail: "refused"} }
	switch {
	case s.isDown():
		return errNoReply
	case b.noRights:
		return refuse(protocol.ReasonRights)
	case b.refuses[new], b.history && slices.Contains(e.history, new), b.safeModify && old != e.inForce():
		return refuse(protocol.ReasonPolicy)
	}
	staged := w.staging[w.cred.ID]
	switch {
	case w.twins && slices.ContainsFunc(w.paths(), func(p credential.Path) bool { return w.at(p) == new }):
	case staged == nil || staged.Secret.Reveal() != new:
		w.fail("the directory was given %q, which is not staged", new)
	case !w.intents[staged.Attempt]:
		w.fail("the directory was given attempt %d, whose intent is not in the ledger", staged.Attempt)
	}
	if now := e.inForce(); w.ours[now] && !w.theirs[now] && now != new && !w.stubborn && now != w.seenBy {
		w.fail("%q is ours and in force, and was replaced by %q", now, new)
	}
	w.retired = ""
	w.change(new)
	if w.setMark = e.mark; w.afterSet != nil {
		w.upset++
		w.afterSet(w)
	}
	if new == w.seenBy {
		return kind.Spent{Err: errors.New("it was readable")}
	}
	return nil
}

func (h *hand) Try(_ context.Context, name string, a kind.Account, value credential.Secret) (protocol.Reply, error) {
	return call(h, fmt.Sprintf("try %s at %s", value.Reveal(), name), errNoReply, func() (protocol.Reply, error) {
		s := h.server(name)
		if s.isDown() {
			return protocol.Unreachable, nil
		}
		e := s.entries[a.Subject]
		if e == nil {
			return protocol.Gone, nil
		}
		answer := h.w.login(e, value.Reveal())
		if h.w.person && answer == protocol.Accepted && h.w.retired != "" && h.w.retired != e.mark {
			h.w.retired = ""
			return "", errNoReply // the account is not as Retire left it
		}
		return answer, nil
	})
}

// Offer is Try that stops at the bind, as a directory does it: a refusal does
// not tell why.
func (h *hand) Offer(ctx context.Context, name string, a kind.Account, value credential.Secret) (protocol.Reply, error) {
	if h.w.person {
		return h.Try(ctx, name, a, value)
	}
	return call(h, fmt.Sprintf("offer %s at %s", value.Reveal(), name), errNoReply, func() (protocol.Reply, error) {
		s := h.server(name)
		if s.isDown() {
			return protocol.Unreachable, nil
		}
		e := s.entries[a.Subject]
		if e == nil {
			return protocol.Refused, nil
		}
		switch answer := h.w.login(e, value.Reveal()); answer {
		case protocol.MustChange:
			return protocol.Accepted, nil
		case protocol.Accepted:
			return answer, nil
		default:
			return protocol.Refused, nil
		}
	})
}

// knowable reports whether a value can be held against a proof: not one that
// Vault no longer had when the value was staged and that an intruder brought
// back since, or that a directory keeps against all that is known of such
// directories.
func (w *world) knowable(old string) bool {
	s := w.staging[w.cred.ID]
	return !w.replayed[old] && !w.stubborn || s != nil && slices.ContainsFunc(slices.Collect(maps.Values(s.Old)), secret(old).Equal)
}

func (w *world) login(e *entry, value string) protocol.Reply {
	switch {
	case e.condition() != "":
		return e.state
	case !e.accepts(value, w.grace):
		e.refused[value]++
		e.rejected[value], e.failed = true, time.Now()
		w.counted(e)
		if e.fails++; w.maxFails > 0 && e.fails >= w.maxFails {
			e.state, e.lockedAt = protocol.Locked, time.Now()
			w.lockouts++
			return protocol.Locked
		}
		return protocol.Refused
	}
	if e.fails > 0 {
		w.counted(e)
	}
	e.refused, e.fails = map[string]int{}, 0
	if e.mustChange && !w.person {
		return protocol.MustChange
	}
	if w.ours[value] {
		e.forced = e.mustChange
		e.proved = !slices.ContainsFunc(w.stolen, func(old string) bool { return w.knowable(old) && !e.rejected[old] && e.accepts(old, w.grace) })
	}
	return protocol.Accepted
}

// Retire closes the grace with one more reset to the same value. For a person
// it is three requests, each of which may fail.
func (h *hand) Retire(_ context.Context, a kind.Account, new credential.Secret) (string, []credential.Finding, error) {
	if h.w.person {
		if h.w.retired != "" && h.w.retired == h.w.write().mark {
			return h.w.retired, nil, nil // else a server that follows slowly would never catch up
		}
		reset, before := func() { h.w.change(new.Reveal()) }, h.w.marks
		for i, do := range []func(){reset, reset, h.w.forceChange} {
			_, err := call(h, fmt.Sprintf("retire, request %d", i+1), errNoReply, func() (struct{}, error) {
				if h.w.servers[0].isDown() {
					return struct{}{}, errors.New("down")
				}
				do()
				return struct{}{}, nil
			})
			if err != nil {
				return "", nil, err
			}
		}
		if h.w.marks != before+2 {
			return "", nil, errNoReply // somebody else's value may be the one before
		}
		h.w.retired = h.w.write().mark
		return h.w.retired, nil, nil
	}
	mark, err := call(h, "retire", errNoReply, func() (string, error) {
		if h.w.servers[0].isDown() {
			return "", errors.New("down")
		}
		h.w.setMark = ""
		if !h.w.grace {
			return "", nil
		}
		h.w.change(new.Reveal())
		h.w.change(new.Reveal())
		return h.w.write().mark, nil
	})
	found := h.w.lives
	h.w.lives = nil
	return mark, found, err
}

// SetSince is known where marks number the changes, as in Active Directory.
func (h *hand) SetSince(_ kind.Account, now string) bool {
	return h.w.setMark != "" && h.SetBetween(h.w.setMark, now)
}

// SetBetween goes by the version, as in Active Directory: other changes of the
// account move what stands behind it.
func (h *hand) SetBetween(before, after string) bool {
	before, _, _ = strings.Cut(before, " ")
	after, _, _ = strings.Cut(after, " ")
	return h.w.grace && after > before
}

func (h *hand) RetiresFirst(credential.Credential) bool { return h.w.first }
func (h *hand) ProofWithoutOld() protocol.Proof         { return protocol.ProofMetadata }
func (h *hand) Close() error                            { return nil }
