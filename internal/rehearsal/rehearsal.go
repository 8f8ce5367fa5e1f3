// Package rehearsal runs the whole protocol on a bogus account of each
// authority, with the Rotator, the kinds and the servers of a campaign, and
// says what would have gone wrong. It never touches an account whose name does
// not begin with authority.Bogus, nor a path in Vault that was there.
package rehearsal

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/kind/registry"
	"rollcall/internal/protocol"
	"rollcall/internal/report"
	"rollcall/internal/rotation"
	"rollcall/internal/rotation/gate"
	"rollcall/internal/rotation/steady"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// Rehearsal is one run. spec has every server that was found, and Roll is the
// roll that no bogus account may be on.
type Rehearsal struct {
	Store *ownmount.Store
	Kinds *registry.Registry
	Spec  *config.Campaign
	Roll  *credential.Roll
}

// patience is how long a server that does not have the change yet is asked
// again; cleaning is what removing may take.
var patience = 10 * time.Second // tests set it

const (
	again    = 500 * time.Millisecond
	cleaning = 30 * time.Second
)

// All rehearses at each authority of the file, and at each sort of login to
// Vault.
func (r *Rehearsal) All(ctx context.Context) (out []Result) {
	for _, name := range r.Spec.Authorities() {
		out = append(out, r.at(ctx, stage{authority: name, kind: r.Spec.KindOf(name), in: r.Spec.Rehearsal(name)}))
	}
	for _, k := range credential.Kinds() {
		login := k.Traits().Login
		if login == nil {
			continue
		}
		s := stage{authority: credential.VaultAuthority, kind: k, in: authority.Rehearsal{Account: r.Spec.Vault.Rehearsal.Logins[login.Method]}}
		if s.in.Account != "" || r.has(k) {
			out = append(out, r.at(ctx, s))
		}
	}
	return out
}

// has reports whether the roll has credentials of a kind.
func (r *Rehearsal) has(k credential.Kind) bool {
	return slices.ContainsFunc(r.Roll.Credentials, func(c credential.Credential) bool { return c.Kind == k })
}

// unfit is why nothing could be rehearsed, which says nothing of a campaign.
type unfit struct{ why string }

func (u *unfit) Error() string { return u.why }

// stage is one authority, and what is made there.
type stage struct {
	authority string
	kind      credential.Kind
	in        authority.Rehearsal

	id     string
	name   string
	store  *ownmount.Store
	record ownmount.RehearsalRecord
	system authority.Rehearser // nil with Vault
	kinds  kind.Authority
	made   bool              // there is an account to remove
	wrote  bool              // there may be a live path to remove
	value  credential.Secret // what stands for the stolen one
}

// at rehearses at one authority, and removes what it made whatever came of it.
func (r *Rehearsal) at(ctx context.Context, s stage) Result {
	out := Result{Authority: s.authority, Kind: s.kind, State: NotRehearsed, Servers: []Server{}}
	if !s.in.Allowed() {
		out.Cure = cure(s)
		return out
	}
	var b [6]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails
	s.id = hex.EncodeToString(b[:])
	s.name = authority.Bogus + "-" + s.id
	alive, stop, err := r.open(ctx, &s)
	if err != nil {
		return failed(out, protocol.Precheck, asStop(err))
	}
	out.Made, out.Live = s.in.Makes(), s.record.Live.String()
	out = r.rehearse(alive, &s, out)
	stop()
	// Also after Ctrl-C.
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleaning)
	defer cancel()
	if err := r.remove(within, s.record, s.in, s.system, s.made, s.wrote); err != nil {
		out.Left = err.Error()
	}
	return out
}

// open writes the record, before anything is made, and keeps it alive.
func (r *Rehearsal) open(ctx context.Context, s *stage) (alive context.Context, stop func(), err error) {
	if s.kinds, err = r.Kinds.Authority(r.Spec, s.authority, s.kind); err != nil {
		return nil, nil, err
	}
	if s.authority != credential.VaultAuthority {
		system, err := r.Kinds.System(r.Spec, s.authority)
		if err != nil {
			return nil, nil, err
		}
		var can bool
		if s.system, can = system.(authority.Rehearser); !can {
			return nil, nil, fmt.Errorf("nothing can be rehearsed at %s", s.authority)
		}
	}
	field := s.kind.Traits().Fields()
	s.store = r.Store.Rehearsal(s.id)
	s.record = ownmount.RehearsalRecord{ID: s.id, Authority: s.authority, At: time.Now().UTC(), Live: r.Store.RehearsalLive(s.id, field)}
	if s.in.Makes() {
		s.record.Account, s.record.Under = s.name, s.in.Under
	}
	if at := r.Spec.Vault.Rehearsal.Path; at != "" {
		place, err := r.Store.Cut(ctx, at+"/"+s.name)
		if err != nil {
			return nil, nil, err
		}
		s.record.Live = credential.Path{Mount: place.Mount, Path: place.Path, Field: field}
	}
	if s.record, err = r.Store.KeepRehearsal(ctx, s.record); err != nil {
		return nil, nil, err
	}
	alive, stop = r.keepAlive(ctx, s.record)
	return alive, stop, nil
}

// rehearse makes the account, gives it a value that stands for the stolen one,
// and rotates that.
func (r *Rehearsal) rehearse(ctx context.Context, s *stage, out Result) Result {
	all := s.kinds.Servers()
	c, err := r.account(ctx, s)
	out.Account = c.Name
	if unfit, ok := errors.AsType[*unfit](err); ok {
		out.State, out.Cure = NotRehearsed, unfit.Error()
		return out
	}
	if err != nil {
		return r.judged(out, all, protocol.Precheck, asStop(err), nil)
	}
	rot := &rotation.Rotator{Store: s.store, Authority: s.kinds, Campaign: authority.Bogus + "-" + s.id, Pass: 1, Now: time.Now,
		Cache: rotation.NewPreparedCache(), Gate: gate.NewGate(r.Store), Brake: gate.NewBrake(), Doubts: steady.NewDoubts(), Slots: 1}
	var done rotation.Applied
	for until := time.Now().Add(patience); ; rot.Pass++ {
		done = pass(ctx, rot, c)
		if done.Stop == nil || !worthAnother(done.Stop) || time.Now().After(until) || ctx.Err() != nil {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
	out.Findings = done.Findings
	if done.Stop != nil {
		return r.judged(out, all, done.Step, done.Stop, append(done.Evidence, r.others(ctx, s, c, done)...))
	}
	lost, err := rot.Clean(ctx, c, wire.Dead{Attempt: done.Attempt, To: done.To, Written: done.Written, Doomed: done.Doomed})
	if err != nil {
		lost = asStop(err)
	}
	if lost != nil {
		return r.judged(out, all, protocol.Outcome, lost, done.Evidence)
	}
	out.State, out.Proof = Passed, done.Proof
	out.Servers = servers(all, done.Evidence, true, "")
	return out
}

// others looks at the servers that the rotation did not come to, because
// another had ended it: once the new value is set, each can tell whether it
// refuses the old one and accepts that.
func (r *Rehearsal) others(ctx context.Context, s *stage, c credential.Credential, done rotation.Applied) (out []protocol.Evidence) {
	staged, found, err := s.store.ReadStaged(ctx, c.ID)
	if err != nil || !found || staged.Unsent || done.Step == protocol.Set {
		return nil
	}
	a, err := s.kinds.Account(ctx, s.kinds.Servers()[0], c)
	if err != nil {
		return nil
	}
	for _, server := range s.kinds.Servers() {
		if server == done.Stop.Server || slices.ContainsFunc(done.Evidence, func(e protocol.Evidence) bool { return e.Server == server }) {
			continue
		}
		e := protocol.Evidence{Server: server}
		if e.Old, err = s.kinds.Offer(ctx, server, a, s.value); err != nil {
			continue
		}
		if e.New, err = s.kinds.Try(ctx, server, a, staged.Secret); err == nil && e.Old == protocol.Refused && e.New == protocol.Accepted {
			out = append(out, e)
		}
	}
	return out
}

// pass is one pass of a campaign over a credential.
func pass(ctx context.Context, rot *rotation.Rotator, c credential.Credential) rotation.Applied {
	prepared := rot.Prepare(ctx, c)
	if prepared.Stop != nil {
		return rotation.Applied{Applied: wire.Applied{Step: prepared.Step, Stop: prepared.Stop}}
	}
	done := []rotation.Applied{rot.Apply(ctx, c, prepared.Attempt, prepared.Fresh)}
	rot.Confirm(ctx, []rotation.Verdict{{Credential: c, Applied: &done[0]}})
	rot.Steady(ctx, []credential.Credential{c}, done)
	return done[0]
}

// worthAnother reports whether the next pass of a campaign could come further
// within seconds.
func worthAnother(s *protocol.Stop) bool {
	return s.Reason == protocol.ReasonLagging || s.Reason == protocol.ReasonInterrupted || s.Reason == protocol.ReasonGone || s.Reason == protocol.ReasonConflict
}

// account makes or finds the bogus account and its live path. made and wrote
// are said before the call that may do it: an answer can be lost.
func (r *Rehearsal) account(ctx context.Context, s *stage) (credential.Credential, error) {
	c := credential.Credential{Kind: s.kind, Authority: s.authority, Name: s.in.Account, Paths: []credential.Path{s.record.Live}}
	if s.system == nil {
		c.Subject = s.in.Account
		c.ID = s.authority + "/" + c.Subject
	}
	find := func() (bool, error) {
		if s.system == nil {
			return true, nil
		}
		a, found, err := s.system.FindBogus(ctx, s.in, s.name)
		if c.Name = a.Name; found {
			c.Subject, c.ID = a.Subject, s.authority+"/"+a.Subject
		}
		return found, err
	}
	found, err := find()
	if s.in.Account != "" && !authority.IsBogus(baseName(s)) {
		return c, &unfit{"no rehearsal touches an account whose name does not begin with " + authority.Bogus}
	}
	value, generated := s.kinds.Generate(ctx, c)
	switch {
	case err != nil:
		return c, err
	case generated != nil:
		return c, generated
	case s.in.Makes() && found:
		return c, &unfit{fmt.Sprintf("an account of the name %s is there already and was left alone: rehearse again", s.name)}
	case s.in.Makes():
		s.made = true
		if s.made, err = s.system.MakeBogus(ctx, s.in, s.name, value); err != nil && !s.made {
			return c, &unfit{asStop(err).Detail}
		} else if err != nil {
			return c, err
		}
		if found, err = find(); err != nil {
			return c, err
		}
	}
	if !found {
		return c, &unfit{"the account that rehearsal names is not there, or Rollcall's identity may not see it: make it, or correct rehearsal"}
	}
	if err := r.notOnTheRoll(c); err != nil {
		return c, err
	}
	if !s.in.Makes() {
		a, err := s.kinds.Account(ctx, s.kinds.Servers()[0], c)
		if err == nil && a.State != protocol.Accepted {
			return c, &unfit{fmt.Sprintf("the account that rehearsal names could not log in (%s): put it in order", a.State)}
		}
		if err == nil {
			err = s.kinds.Set(ctx, a, value, credential.Secret{})
		}
		if err != nil {
			return c, err
		}
	}
	// The path was never there: a secret in the way is left alone.
	before, err := r.Store.ReadLive(ctx, s.record.Live, 0)
	if err != nil {
		return c, err
	}
	if before.Found || before.Version > 0 {
		return c, &unfit{fmt.Sprintf("something is at %s already, and was left alone: name another folder in vault.rehearsal.path", s.record.Live)}
	}
	s.wrote = true
	s.value = value
	_, err = r.Store.Activate(ctx, s.record.Live, before, value, "")
	return c, err
}

// baseName is the name of an administrator's account, without its mount where
// it is a login to Vault.
func baseName(s *stage) string {
	if s.system == nil {
		return s.in.Account[strings.LastIndex(s.in.Account, "/")+1:]
	}
	return s.in.Account
}

// notOnTheRoll: a bogus account that a source finds is no bogus account.
func (r *Rehearsal) notOnTheRoll(c credential.Credential) error {
	for _, on := range r.Roll.Credentials {
		if on.ID == c.ID || on.Authority == c.Authority && strings.EqualFold(on.Name, c.Name) {
			return &unfit{"the account of the rehearsal is on the roll, and was left alone: name another one, or correct the source that finds it"}
		}
	}
	return nil
}

// judged says where it would have stopped.
func (r *Rehearsal) judged(out Result, all []string, step protocol.Step, stop *protocol.Stop, evidence []protocol.Evidence) Result {
	out = failed(out, step, stop)
	out.Servers = servers(all, evidence, false, stop.Server)
	return out
}

func failed(out Result, step protocol.Step, stop *protocol.Stop) Result {
	out.State, out.Step, out.Reason, out.At, out.Detail = WouldFail, step, stop.Reason, stop.Server, stop.Detail
	out.Title, out.Next = report.Advice(stop.Reason)
	return out
}

// asStop words any error as what keeps a credential open.
func asStop(err error) *protocol.Stop {
	var stop *protocol.Stop
	var v *vault.Error
	switch {
	case errors.As(err, &stop):
		return stop
	case errors.As(err, &v):
		return v.Stop()
	}
	return &protocol.Stop{Reason: protocol.ReasonInternal, Detail: err.Error()}
}

// cure is what the file needs for a rehearsal there.
func cure(s stage) string {
	if login := s.kind.Traits().Login; login != nil {
		return fmt.Sprintf("let an administrator make %s for it, and name it: vault: {rehearsal: {%s: %s/%s}}", login.What, login.Method, login.Method, authority.Bogus)
	}
	return fmt.Sprintf("give %s a place in the campaign file where a bogus account may be made, or name one that an administrator made (rehearsal: docs/operations.md#rehearse)", s.authority)
}
