// Package postgrespassword rotates the password of a role of a PostgreSQL
// cluster, which is one for all of its servers: it is set on the primary and
// reaches the replicas by streaming replication.
//
// A role has one password, so a new one ends the old one at once, but not the
// sessions that the old one opened. Retire ends those, on every server.
package postgrespassword

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/password"
	"rollcall/internal/postgres"
	"rollcall/internal/protocol"
)

// Authority is one cluster. The subject of a credential is the role's oid.
type Authority struct {
	db       *postgres.System
	policy   authority.PasswordPolicy
	generate func(ctx context.Context, policy string) (credential.Secret, error)

	arrives time.Duration // the longest wait for a replica in one pass

	set sync.Map // by subject: the done of what this process set last
	md5 sync.Map // by subject: the server asked for its password by md5
}

// done is a value that was set, and when.
type done struct {
	value  credential.Secret
	change postgres.Change
}

var (
	_ kind.Authority = (*Authority)(nil)
	_ kind.Many      = (*Authority)(nil)
	_ kind.Named     = (*Authority)(nil)
	_ kind.Again     = (*Authority)(nil)
)

// New makes the authority of one cluster. Whoever opened db closes it.
// vaultGenerate makes a value by a Vault password policy; it may be nil if p
// names none.
func New(db *postgres.System, p authority.PasswordPolicy, vaultGenerate func(ctx context.Context, policy string) (credential.Secret, error)) *Authority {
	return &Authority{db: db, policy: p, generate: vaultGenerate, arrives: 5 * time.Second}
}

// Servers are the primary and its replicas.
func (a *Authority) Servers() []string { return a.db.Servers() }

// Account finds the role by its oid. Changed is the transaction that last
// changed it, which no login moves; empty where the worker's role may not read
// it (docs/rights.md).
func (a *Authority) Account(ctx context.Context, server string, c credential.Credential) (kind.Account, error) {
	r, found, err := a.db.ByID(ctx, server, c.Subject)
	switch {
	case postgres.IsUnreachable(err) && ctx.Err() == nil:
		return kind.Account{}, protocol.StopFor(protocol.Unreachable, server)
	case err != nil:
		return kind.Account{}, err
	case !found:
		return kind.Account{Subject: c.Subject, Name: c.Name, State: protocol.Gone, OnlyOne: true}, nil
	case a.db.IsIdentity(r.Name):
		return kind.Account{}, a.self(server)
	}
	acc := shown(r)
	if server == a.Servers()[0] {
		err = a.db.Hinders(ctx, []postgres.Role{r}, func(_ string, p credential.Problem) { acc.Hindered = append(acc.Hindered, p) })
		if err != nil {
			return kind.Account{}, a.unreachable(ctx, server, err)
		}
	}
	return acc, nil
}

// shown is the account of a role. VALID UNTIL that is over does not make a
// password a dead one: whoever extends it brings it back.
func shown(r postgres.Role) kind.Account {
	a := kind.Account{Subject: r.ID, Name: r.Name, State: r.State, Changed: r.Mark, OnlyOne: true, Exact: r.Mark != "", SecretHidden: r.PasswordHidden}
	for _, p := range r.Problems() {
		a.Hindered = append(a.Hindered, p.Code)
	}
	return a
}

// Accounts reads many roles in one call.
func (a *Authority) Accounts(ctx context.Context, server string, cs []credential.Credential) map[string]kind.Account {
	out := map[string]kind.Account{}
	roles, err := a.db.ManyByID(ctx, server, kind.Subjects(cs))
	if err != nil {
		return out
	}
	hinders := map[string][]credential.Problem{}
	if server == a.Servers()[0] {
		err := a.db.Hinders(ctx, slices.Collect(maps.Values(roles)), func(id string, p credential.Problem) { hinders[id] = append(hinders[id], p) })
		if err != nil {
			return out
		}
	}
	for _, c := range cs {
		if r, found := roles[c.Subject]; found && !a.db.IsIdentity(r.Name) {
			acc := shown(r)
			acc.Hindered = append(acc.Hindered, hinders[r.ID]...)
			out[c.ID] = acc
		}
	}
	return out
}

// SameName compares names as PostgreSQL does in a login: by each byte.
func (a *Authority) SameName(x, y string) bool { return x == y }

// Hides: everybody may read the names of roles (pg_roles).
func (*Authority) Hides() bool { return false }

// Holder reads whose a name is now.
func (a *Authority) Holder(ctx context.Context, server, name string) (string, error) {
	r, _, err := a.db.Client.Find(ctx, server, name)
	return r.ID, err
}

// LookAgain looks whether several machines answer at one server's address.
func (a *Authority) LookAgain(ctx context.Context, server string, cs []credential.Credential, n int) (kind.Look, error) {
	out := kind.Look{Marks: map[string]string{}}
	contradicts, err := a.db.Several(ctx, server, n)
	if err != nil {
		return out, err
	}
	out.Contradicts = contradicts
	m, err := a.db.Who(ctx, server)
	if err != nil {
		return out, err
	}
	out.Machine, out.Started = m.Itself(), m.Started
	for id, acc := range a.Accounts(ctx, server, cs) {
		out.Marks[id] = acc.Changed
	}
	return out, nil
}

// Generate makes a value by the cluster's policy in the campaign file, or has
// Vault make it.
func (a *Authority) Generate(ctx context.Context, _ credential.Credential) (credential.Secret, error) {
	if a.policy.VaultPolicy == "" {
		return password.New(a.policy)
	}
	return a.generate(ctx, a.policy.VaultPolicy)
}

// GenerateShorter makes a value by the campaign file's own policy, shorter.
func (a *Authority) GenerateShorter(_ context.Context, _ credential.Credential, by int) (credential.Secret, error) {
	return password.Shorter(a.policy, by)
}

// Set sets the password on the primary.
func (a *Authority) Set(ctx context.Context, acc kind.Account, new, _ credential.Secret) error {
	if a.db.IsIdentity(acc.Name) {
		return a.self(a.Servers()[0])
	}
	if err := kind.Hindrance(acc, a.Servers()[0]); err != nil {
		return err
	}
	if new.IsZero() {
		return errors.New("an empty password is none: PostgreSQL takes no login with it")
	}
	if _, asked := a.md5.Load(acc.Subject); asked && !slices.Contains(acc.Accepted, credential.MD5Stored) {
		return &protocol.Stop{Reason: protocol.ReasonMD5Stored, Server: a.Servers()[0],
			Detail: "it was not seen when it was listed: the server asks for its password by md5, and would by SCRAM from now on; nothing was changed: update consumers that cannot do SCRAM, then accept md5-stored by name"}
	}
	change, err := a.db.SetPassword(ctx, acc.Subject, acc.Name, new)
	if err == nil {
		a.set.Store(acc.Subject, done{new, change})
		a.md5.Delete(acc.Subject)
	}
	return a.notGone(ctx, acc, err)
}

// SetAlone is kind.Evicting. What is kept for the role has to show that it is
// not ours any more (rolpassword, or xmin, of pg_authid): a value is refused
// for other reasons too, and consumers' sessions are not ended for those.
func (a *Authority) SetAlone(ctx context.Context, acc kind.Account, new credential.Secret) (set bool, err error) {
	r, found, err := a.db.ByID(ctx, a.Servers()[0], acc.Subject)
	if err != nil || !found || r.Holds(new) {
		return false, err
	}
	if r.State != protocol.Accepted {
		return false, nil
	}
	ours, err := a.change(ctx, acc, new)
	if err != nil || r.Verifier.IsZero() && (r.Mark == "" || ours.Mark == "" || r.Mark == ours.Mark) {
		return false, err
	}
	change, err := a.db.SetPasswordAlone(ctx, acc.Subject, acc.Name, new, slices.Contains(acc.Accepted, credential.Replicates))
	if err == nil {
		a.set.Store(acc.Subject, done{new, change})
	}
	return err == nil, a.notGone(ctx, acc, err)
}

// notGone: the statement names the role, and nobody has that name any more. By
// its oid it may be there all the same, under another one.
func (a *Authority) notGone(ctx context.Context, acc kind.Account, err error) error {
	var stop *protocol.Stop
	if !errors.As(err, &stop) || stop.Reason != protocol.ReasonGone {
		return err
	}
	if _, found, looked := a.db.ByID(ctx, a.Servers()[0], acc.Subject); looked != nil || !found {
		return err
	}
	return &protocol.Stop{Reason: protocol.ReasonInterrupted, Server: a.Servers()[0],
		Detail: "the role was renamed while it was worked on; nothing was changed, and the next pass reads it by its id"}
}

// Try logs in once, reads who the session is, and ends it.
func (a *Authority) Try(ctx context.Context, server string, acc kind.Account, value credential.Secret) (protocol.Reply, error) {
	if value.IsZero() {
		return protocol.Refused, nil
	}
	login, err := a.db.Try(ctx, server, acc.Subject, acc.Name, value)
	a.learn(server, acc, login)
	return login.Answer, err
}

// learn notes how the write server asked for a password that is right: by md5
// only for one that is stored so.
func (a *Authority) learn(server string, acc kind.Account, login postgres.Login) {
	switch {
	case login.Answer != protocol.Accepted || server != a.Servers()[0]:
	case login.Method == postgres.MD5:
		a.md5.Store(acc.Subject, true)
	default:
		a.md5.Delete(acc.Subject)
	}
}

// Offer logs in once and looks no further.
func (a *Authority) Offer(ctx context.Context, server string, acc kind.Account, value credential.Secret) (protocol.Reply, error) {
	if value.IsZero() {
		return protocol.Refused, nil
	}
	login, err := a.db.Offer(ctx, server, acc.Name, value)
	a.learn(server, acc, login)
	return login.Answer, err
}

// CannotOffer is kind.Limited.
func (a *Authority) CannotOffer(value credential.Secret) string { return postgres.CannotOffer(value) }

// looks is how often a replica is asked whether it has the change.
const looks = 50 * time.Millisecond

// Retire ends the sessions that the old value opened, on every server that is
// not left out. A replica that has not got the change within some seconds is a
// Stop (ReasonLagging): what logs in there with the old value now is a session
// of the old value, too. Where another process set the value its moment is not
// known, and sessions of the new value end with the others; on a replica so do
// those that began before it was seen to have the change.
func (a *Authority) Retire(ctx context.Context, acc kind.Account, new credential.Secret) (string, []credential.Finding, error) {
	change, err := a.change(ctx, acc, new)
	if err != nil {
		return "", nil, a.unreachable(ctx, a.Servers()[0], err)
	}
	var first error
	var findings []credential.Finding
	for _, server := range a.Servers() {
		if slices.Contains(acc.LeftOut, server) {
			continue
		}
		at, err := a.arrived(ctx, server, change)
		var follow []postgres.Standby
		switch {
		case err != nil:
		case slices.Contains(acc.Accepted, credential.Replicates):
			follow, err = a.db.EndAllButFollowers(ctx, server, acc.Subject, acc.Name, at)
		default:
			_, err = a.db.EndSessions(ctx, server, acc.Subject, acc.Name, at)
		}
		findings = append(findings, goOn(server, follow)...)
		if err != nil && first == nil {
			first = a.unreachable(ctx, server, err) // the others are not to wait for this one
		}
	}
	return "", findings, first
}

// goOn says what of the stolen password's sessions was left to itself.
func goOn(server string, follow []postgres.Standby) []credential.Finding {
	if len(follow) == 0 {
		return nil
	}
	var names []string
	for _, f := range follow {
		names = append(names, f.String())
	}
	return []credential.Finding{{Code: credential.FindingFollows, Detail: fmt.Sprintf("what takes the log of %s by it goes on as it was logged in before: %s. One that nobody knows is the thief's: end it (SELECT pg_terminate_backend(pid) FROM pg_stat_replication WHERE …)", server, strings.Join(names, ", "))}}
}

// change is the moment of the change, and where this process did not make it, a
// later one.
func (a *Authority) change(ctx context.Context, acc kind.Account, new credential.Secret) (postgres.Change, error) {
	if d, ok := a.set.Load(acc.Subject); ok && d.(done).value.Equal(new) {
		return d.(done).change, nil
	}
	return a.db.Moment(ctx)
}

func (a *Authority) arrived(ctx context.Context, server string, change postgres.Change) (time.Time, error) {
	for end := time.Now().Add(a.arrives); ; {
		at, has, err := a.db.Arrived(ctx, server, change)
		if err != nil || has {
			return at, err
		}
		if time.Now().After(end) {
			return at, &protocol.Stop{Reason: protocol.ReasonLagging, Server: server,
				Detail: "the replica has not got the change yet, so sessions of the old password there cannot be ended for good"}
		}
		select {
		case <-time.After(looks):
		case <-ctx.Done():
			return at, ctx.Err()
		}
	}
}

// unreachable turns a server that does not answer into what keeps the
// credential open.
func (a *Authority) unreachable(ctx context.Context, server string, err error) error {
	if postgres.IsUnreachable(err) && ctx.Err() == nil {
		return protocol.StopFor(protocol.Unreachable, server)
	}
	return err
}

// RetiresFirst: no session of a database reads Vault.
func (a *Authority) RetiresFirst(credential.Credential) bool { return false }

// ProofWithoutOld is ProofMetadata: a role has one password, and a good login
// with the new one shows that it is that.
func (a *Authority) ProofWithoutOld() protocol.Proof { return protocol.ProofMetadata }

func (a *Authority) self(server string) error {
	return &protocol.Stop{Reason: protocol.ReasonSelf, Server: server,
		Detail: "this is the role with which the worker sets passwords (bind); name a pair under bind (docs/rights.md) and each is rotated by the other"}
}
