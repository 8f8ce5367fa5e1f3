// Package approlesecretid rotates the secret-id with which the device logs in
// to Vault (https://developer.hashicorp.com/vault/docs/auth/approle).
//
// A role accepts any number of secret-ids at once, so Set adds the new one and
// consumers move over without an outage; Retire then destroys every other one
// and revokes the tokens they minted. A token is told from the new secret-id's
// by a tag that Set puts into the secret-id's metadata, which Vault copies
// into each token.
//
// What Retire cannot reach, and says so where it can see it: batch tokens,
// which live until they expire, and orphan tokens that a thief made with a
// stolen token (auth/token/create-orphan), which nothing ties to the role.
package approlesecretid

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/minted"
)

// Authority is Vault's AppRole login. The subject of a credential is
// "mount/role"; one Authority serves all mounts.
type Authority struct {
	api    *vaultapi.Client
	server string
	self   Login // nil: the role that api is logged in with is left alone
	tokens *minted.Tokens
	ration *minted.Ration
}

// Login is the AppRole login of the process itself. *vault.Client is one.
type Login interface {
	// Role is what it is logged in with, as mount/role, if it may rotate that;
	// else empty.
	Role() string
	// Replaceable says with a *protocol.Stop what keeps the secret-id from
	// being replaced where the process has it.
	Replaceable() error
	// Adopt replaces it there, then logs in with it. On an error the old one is
	// still in use.
	Adopt(ctx context.Context, secretID credential.Secret) error
	// Offered is for how long the others of the role could have read secretID,
	// by the clock of the place where they look; 0 if they cannot, or if that
	// is not known.
	Offered(ctx context.Context, secretID credential.Secret) time.Duration
}

var _ kind.Authority = (*Authority)(nil)

// New gives the authority behind api, whose token needs the rights that
// vault.Policies gives the worker. serverName is how the ledger calls it.
func New(api *vaultapi.Client, serverName string) *Authority {
	return &Authority{api: api, server: serverName, tokens: minted.New(api, serverName), ration: &minted.Ration{Server: serverName}}
}

// Counting has it count, where that outlives the process, the logins that may
// be wrong, and make none that could lock a role.
func (au *Authority) Counting(t minted.Tally) *Authority {
	au.ration.Tally = t
	return au
}

// WithLogin lets it rotate the role of l too: Retire makes l move over before
// anything is destroyed.
func (au *Authority) WithLogin(l Login) *Authority {
	au.self = l
	return au
}

// Servers is the one Vault.
func (au *Authority) Servers() []string { return []string{au.server} }

// ProofWithoutOld is ProofRevoked: Retire ends only when Vault lists no other
// secret-id of the role and no token of one.
func (au *Authority) ProofWithoutOld() protocol.Proof { return protocol.ProofRevoked }

// RetiresFirst: a stolen secret-id, or a token of it, may read the place at
// which the new one is left, and would so be handed the next login. The
// workers' own role is the exception: its other workers learn the new secret-id
// from that place, which lies on Rollcall's own mount, and Retire waits for
// them.
func (au *Authority) RetiresFirst(c credential.Credential) bool {
	return au.self == nil || au.self.Role() != c.Subject
}

// Generate makes 256 random bits in hex.
func (au *Authority) Generate(context.Context, credential.Credential) (credential.Secret, error) {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
	return credential.NewSecret(hex.EncodeToString(b)), nil
}

// Account reads the role. Changed is markOf its secret-ids.
func (au *Authority) Account(ctx context.Context, _ string, c credential.Credential) (kind.Account, error) {
	r, err := au.role(ctx, c.Subject)
	if err != nil {
		return kind.Account{}, err
	}
	a := kind.Account{Subject: c.Subject, Name: c.Subject, State: protocol.Accepted}
	if r == nil {
		a.State = protocol.Gone
		return a, nil
	}
	if au.own(*r) {
		if err := au.self.Replaceable(); err != nil {
			return kind.Account{}, err
		}
	}
	accessors, err := au.accessors(ctx, *r)
	if err != nil {
		return kind.Account{}, err
	}
	roleID, err := au.roleID(ctx, *r)
	if err != nil {
		return kind.Account{}, err
	}
	a.Changed = markOf(accessors, roleID, r.bindSecretID)
	locked, err := au.locked(ctx, *r, roleID)
	if locked {
		a.State = protocol.RoleLocked
	}
	return a, err
}

// role is what we need to know of an AppRole.
type role struct {
	mount, name  string
	bindSecretID bool
	numUses      int64 // the most that each secret-id may have; 0: no limit
	ttl          int64 // seconds; the same
	tokenType    string
	tokenCIDRs   bool // its tokens are bound to addresses
}

// id is the credential's.
func (r role) id() string { return credential.VaultAuthority + "/" + r.mount + "/" + r.name }

func (r role) path() string { return "auth/" + r.mount + "/role/" + r.name }

// role is nil if Vault does not know it.
func (au *Authority) role(ctx context.Context, subject string) (*role, error) {
	i := strings.LastIndex(subject, "/")
	if i < 1 || i == len(subject)-1 {
		return nil, fmt.Errorf("vault %s: the subject of an AppRole is mount/role", au.server)
	}
	r := role{mount: subject[:i], name: subject[i+1:]}
	got, err := au.api.Logical().ReadWithContext(ctx, r.path())
	if err != nil {
		return nil, au.fail("read the role", err)
	}
	if got == nil {
		return nil, nil
	}
	r.bindSecretID, _ = got.Data["bind_secret_id"].(bool)
	r.numUses = vault.Integer(got.Data["secret_id_num_uses"])
	r.ttl = vault.Integer(got.Data["secret_id_ttl"])
	r.tokenType, _ = got.Data["token_type"].(string)
	bound, _ := got.Data["token_bound_cidrs"].([]any)
	r.tokenCIDRs = len(bound) > 0
	return &r, nil
}

// accessors lists those of all secret-ids of a role.
func (au *Authority) accessors(ctx context.Context, r role) ([]string, error) {
	got, err := au.api.Logical().ListWithContext(ctx, r.path()+"/secret-id")
	if err != nil {
		return nil, au.fail("list the secret-ids of the role", err)
	}
	return keys(got), nil
}

// secretID is what Vault tells of one; it counts as no use of it.
type secretID struct {
	accessor string
	limits
}

func secretIDOf(got *vaultapi.Secret) *secretID {
	if got == nil || got.Data == nil {
		return nil
	}
	accessor, _ := got.Data["secret_id_accessor"].(string)
	return &secretID{accessor, limitsOf(got.Data)}
}

// find looks a value up; nil if the role has no such secret-id.
func (au *Authority) find(ctx context.Context, r role, value credential.Secret) (*secretID, error) {
	got, err := au.api.Logical().WriteWithContext(ctx, r.path()+"/secret-id/lookup", map[string]any{"secret_id": value.Reveal()})
	if err != nil {
		return nil, au.fail("look up a secret-id", err)
	}
	return secretIDOf(got), nil
}

// fail says of a call that failed what may travel: see vault.Refusal.
func (au *Authority) fail(op string, err error) error { return vault.Refusal(au.server, op, err) }

func (au *Authority) stop(r protocol.Reason, detail string) *protocol.Stop {
	return &protocol.Stop{Reason: r, Server: au.server, Detail: detail}
}
