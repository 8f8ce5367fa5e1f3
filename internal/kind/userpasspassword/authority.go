// Package userpasspassword rotates the password of a user of Vault's auth
// method userpass (https://developer.hashicorp.com/vault/docs/auth/userpass),
// with which the device logs in to Vault.
//
// A user has one password, so Set ends the old one at once; what it minted
// lives on, and Retire revokes that. Vault shows neither the password nor when
// it was set, so there is no change mark: a good login with the new value is
// what shows that no other is in force.
//
// Names are the same in upper and lower case, and are stored in lower case.
// That is not only for looks: Vault 1.21 answers 204 to a new password of
// "ALICE" and gives it to nobody, with the one of "alice" left as it was
// (TestAPasswordForAnotherSpellingOfTheNameChangesNothing).
package userpasspassword

import (
	"context"
	"fmt"
	"strings"
	"sync"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/password"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/minted"
)

// Authority is Vault's userpass login. The subject of a credential is
// "mount/name"; one Authority serves all mounts.
type Authority struct {
	api      *vaultapi.Client
	server   string
	policy   config.PasswordPolicy
	generate func(ctx context.Context, policy string) (credential.Secret, error)
	tokens   *minted.Tokens

	entered sync.Map // by subject: an entry
	set     sync.Map // by subject: when this process set it
	retired sync.Map // by subject: a retired
	refused refusals
	mine    sync.Map // by subject: the value that this process set last
	ration  *minted.Ration
}

var _ kind.Authority = (*Authority)(nil)

// New gives the authority behind api, whose token needs the rights that
// vault.Policies gives the worker. serverName is how the ledger calls it.
// vaultGenerate makes a value by a Vault password policy; it may be nil if p
// names none.
func New(api *vaultapi.Client, serverName string, p config.PasswordPolicy, vaultGenerate func(ctx context.Context, policy string) (credential.Secret, error)) *Authority {
	return &Authority{api: api, server: serverName, policy: p, generate: vaultGenerate, tokens: minted.New(api, serverName), ration: &minted.Ration{Server: serverName}}
}

// Counting has it count, where that outlives the process, the logins that may
// be wrong, and make none that could lock a user.
func (au *Authority) Counting(t minted.Tally) *Authority {
	au.ration.Tally = t
	return au
}

// Servers is the one Vault.
func (au *Authority) Servers() []string { return []string{au.server} }

// ProofWithoutOld is ProofRevoked: a user has one password, and Retire ends
// only when Vault lists no token that another one minted.
func (au *Authority) ProofWithoutOld() protocol.Proof { return protocol.ProofRevoked }

// RetiresFirst: a token of the stolen password may read the place at which the
// new one is left.
func (au *Authority) RetiresFirst(credential.Credential) bool { return true }

// longest is what bcrypt takes into account, and Vault's limit: a longer
// password is answered with status 500.
const longest = 72

// Generate makes a random value, or one by the campaign's Vault password
// policy.
func (au *Authority) Generate(ctx context.Context, _ credential.Credential) (credential.Secret, error) {
	if au.policy.VaultPolicy == "" {
		return password.New(au.policy)
	}
	v, err := au.generate(ctx, au.policy.VaultPolicy)
	if err == nil && len(v.Reveal()) > longest {
		return credential.Secret{}, au.stop(protocol.ReasonNoGenerator, fmt.Sprintf("what Vault makes by its password policy %q is longer than %d bytes, and userpass takes no such password; correct the policy, or name another one (vault.password)", au.policy.VaultPolicy, longest))
	}
	return v, err
}

// GenerateShorter makes a value by the campaign file's own policy, shorter.
func (au *Authority) GenerateShorter(_ context.Context, _ credential.Credential, by int) (credential.Secret, error) {
	return password.Shorter(au.policy, by)
}

// Account reads the user. It has no change mark.
func (au *Authority) Account(ctx context.Context, _ string, c credential.Credential) (kind.Account, error) {
	u, err := au.user(ctx, c.Subject)
	if err != nil {
		return kind.Account{}, err
	}
	a := kind.Account{Subject: c.Subject, Name: c.Subject, State: protocol.Accepted, OnlyOne: true}
	if u == nil {
		a.State = protocol.Gone
		return a, nil
	}
	m, err := au.mountOf(ctx, *u)
	if err != nil {
		return kind.Account{}, err
	}
	a.Locks = m.lockout.Ours()
	a.Failed = au.ration.Counted(ctx, u.id(), m.lockout)
	locked, err := au.locked(ctx, m, *u)
	if err != nil {
		return kind.Account{}, err
	}
	e, err := au.entity(ctx, m, *u)
	switch {
	case err != nil:
		return kind.Account{}, err
	case locked:
		a.State = protocol.LoginLocked
	case e.disabled:
		a.State = protocol.Disabled
	}
	return a, nil
}

// user is what we need to know of one.
type user struct {
	mount, name string
	policies    []string
	tokenType   string
	cidrs       bool // it logs in, and its tokens are good, from some addresses only
}

func (u user) path() string    { return "auth/" + u.mount + "/users/" + u.name }
func (u user) subject() string { return u.mount + "/" + u.name }

// id is the credential's.
func (u user) id() string { return credential.VaultAuthority + "/" + u.subject() }

// named splits a subject.
func (au *Authority) named(subject string) (*user, error) {
	i := strings.LastIndex(subject, "/")
	if i < 1 || i == len(subject)-1 {
		return nil, fmt.Errorf("vault %s: the subject of a userpass user is mount/name", au.server)
	}
	return &user{mount: subject[:i], name: strings.ToLower(subject[i+1:])}, nil
}

// user is nil if Vault does not know it.
func (au *Authority) user(ctx context.Context, subject string) (*user, error) {
	u, err := au.named(subject)
	if err != nil {
		return nil, err
	}
	got, err := au.api.Logical().ReadWithContext(ctx, u.path())
	if err != nil {
		return nil, au.fail("read the user", err)
	}
	if got == nil {
		return nil, nil
	}
	u.policies = vault.TextsIn(got.Data["token_policies"])
	u.tokenType, _ = got.Data["token_type"].(string)
	u.cidrs = len(vault.TextsIn(got.Data["token_bound_cidrs"])) > 0
	return u, nil
}

func (au *Authority) fail(op string, err error) error { return vault.Refusal(au.server, op, err) }

func (au *Authority) stop(r protocol.Reason, detail string) *protocol.Stop {
	return &protocol.Stop{Reason: r, Server: au.server, Detail: detail}
}
