// Package byhand is what only a person can change: a cloud account, both ends
// of a shared secret, a copy that has to be purged. There is no server to set
// it on and none that refuses the old value, so a rotation never comes to it: a
// person does it and says so with a login of his own (internal/people), and
// that is its proof, or doors are (internal/tasks). What this package has is
// the making of the new value.
package byhand

import (
	"context"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/password"
	"rollcall/internal/protocol"
)

// Authority is the people who do it.
type Authority struct {
	name     string
	policy   config.PasswordPolicy
	generate func(ctx context.Context, policy string) (credential.Secret, error)
}

var _ kind.Authority = (*Authority)(nil)

// New gives the authority. generate makes a value by a password policy of
// Vault's, where p names one.
func New(name string, p config.PasswordPolicy, generate func(ctx context.Context, policy string) (credential.Secret, error)) *Authority {
	return &Authority{name: name, policy: p, generate: generate}
}

// Stop is why no rotation touches it.
func Stop() *protocol.Stop {
	return &protocol.Stop{Reason: protocol.ReasonByHand, Detail: "only a person can change it; nothing was set: `rollcall tasks` says what is to be done, by whom and until when"}
}

// Servers is the one that there is not, by name.
func (a *Authority) Servers() []string { return []string{a.name} }

// Account shows what a person's word shows: nothing.
func (a *Authority) Account(context.Context, string, credential.Credential) (kind.Account, error) {
	return kind.Account{}, Stop()
}

// Generate makes a new value for a person to put where it belongs.
func (a *Authority) Generate(ctx context.Context, _ credential.Credential) (credential.Secret, error) {
	if a.policy.VaultPolicy == "" {
		return password.New(a.policy)
	}
	return a.generate(ctx, a.policy.VaultPolicy)
}

// Set is a person's.
func (a *Authority) Set(context.Context, kind.Account, credential.Secret, credential.Secret) error {
	return Stop()
}

// Try has nobody to ask.
func (a *Authority) Try(context.Context, string, kind.Account, credential.Secret) (protocol.Reply, error) {
	return protocol.NotAsked, Stop()
}

// Offer has nobody to ask.
func (a *Authority) Offer(context.Context, string, kind.Account, credential.Secret) (protocol.Reply, error) {
	return protocol.NotAsked, Stop()
}

// Retire is a person's.
func (a *Authority) Retire(context.Context, kind.Account, credential.Secret) (string, []credential.Finding, error) {
	return "", nil, Stop()
}

// RetiresFirst has no order to say: nothing is activated.
func (a *Authority) RetiresFirst(credential.Credential) bool { return false }

// ProofWithoutOld is a person's word.
func (a *Authority) ProofWithoutOld() protocol.Proof { return protocol.ProofAttested }
