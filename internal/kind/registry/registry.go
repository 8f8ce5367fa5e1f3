// Package registry knows which kinds of credential there are, and opens the
// authorities that decide on them.
package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/kind"
	"rollcall/internal/kind/adpassword"
	"rollcall/internal/kind/approlesecretid"
	"rollcall/internal/kind/byhand"
	"rollcall/internal/kind/ldappassword"
	"rollcall/internal/kind/postgrespassword"
	"rollcall/internal/kind/userpasspassword"
	"rollcall/internal/kind/userpassword"
	"rollcall/internal/kind/vaultlogin"
	"rollcall/internal/kind/vaulttoken"
	"rollcall/internal/postgres"
	"rollcall/internal/postgres/settings"
	"rollcall/internal/vault"
	"rollcall/internal/vault/minted"
	"rollcall/internal/vault/ownmount"
)

// opener opens the authority of one kind.
type opener func(r *Registry, spec *config.Campaign, name string) (kind.Authority, error)

// kinds has one line for each kind of credential.
var kinds = map[credential.Kind]opener{
	credential.LDAPPassword:     openLDAPPassword,
	credential.ADPassword:       openADPassword,
	credential.UserPassword:     openUserPassword,
	credential.AppRoleSecretID:  openAppRoleSecretID,
	credential.UserpassPassword: openUserpassPassword,
	credential.PostgresPassword: openPostgresPassword,
	credential.VaultToken:       openVaultToken,

	credential.AnyByHand:          openByHand,
	credential.SecretByHand:       openByHand,
	credential.LocalAccountByHand: openByHand,
	credential.APIKeyByHand:       openByHand,
	credential.CloudAccountByHand: openByHand,
	credential.MFASeedByHand:      openByHand,
	credential.PurgeByHand:        openByHand,
}

// systems has one line for each type of authority besides directories and
// Vault. A listing looks accounts up, so each is a Finder.
var systems = map[string]func(r *Registry, name string, s authority.Settings) (authority.Finder, error){
	settings.Type: openPostgres,
}

// Registry opens authorities once and shares them: connection pools and rate
// limits hold for a directory as a whole, whatever campaign uses it. Safe for
// concurrent use.
type Registry struct {
	vault  *vault.Client
	tokens *minted.Tokens // of Vault, as logins mint them

	mu   sync.Mutex
	open map[string]kind.Authority
	dirs map[string]*directory.Client
	sys  map[string]authority.System
}

// New gives a registry whose authorities read their own logins from Vault. Of
// what Rollcall keeps there they have the counts of wrong logins alone.
func New(v *vault.Client) *Registry {
	return &Registry{vault: v, tokens: minted.New(v.API(), credential.VaultAuthority), open: map[string]kind.Authority{}, dirs: map[string]*directory.Client{}, sys: map[string]authority.System{}}
}

// Tokens are those of Vault, as the authorities look at them: what one has seen
// the others need not.
func (r *Registry) Tokens() *minted.Tokens { return r.tokens }

// Authority opens the authority of a credential, or returns the one that is
// open. It does no network I/O; the error means that the campaign's
// specification is unusable.
func (r *Registry) Authority(spec *config.Campaign, name string, k credential.Kind) (kind.Authority, error) {
	open, ok := kinds[k]
	if !ok {
		return nil, fmt.Errorf("no kind of credential is called %q", k)
	}
	key, err := json.Marshal([]any{k, name, spec.Authority(name), spec.Vault.Password})
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if a, ok := r.open[string(key)]; ok {
		return a, nil
	}
	a, err := open(r, spec, name)
	if err != nil {
		return nil, err
	}
	r.open[string(key)] = a
	return a, nil
}

// Directory opens the directory of that name in spec, or returns the one that
// is open.
func (r *Registry) Directory(spec *config.Campaign, name string) (*directory.Client, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.directory(spec, name)
}

func (r *Registry) directory(spec *config.Campaign, name string) (*directory.Client, error) {
	d, ok := spec.Directories[name]
	if !ok {
		return nil, fmt.Errorf("the campaign file has no directory called %q", name)
	}
	key, err := json.Marshal([]any{name, d})
	if err != nil {
		return nil, err
	}
	if c, ok := r.dirs[string(key)]; ok {
		return c, nil
	}
	c, err := directory.Open(name, d, r.secrets(d)...)
	if err == nil {
		r.dirs[string(key)] = c
	}
	return c, err
}

// secrets read what Rollcall logs in with at an authority, from Vault, in the
// order of its logins.
func (r *Registry) secrets(s authority.Settings) (out []func(context.Context) (credential.Secret, error)) {
	for _, login := range s.Logins() {
		out = append(out, func(ctx context.Context) (credential.Secret, error) {
			live, err := r.vault.ReadLive(ctx, login.Secret, 0)
			return live.Value, err // zero where Vault has none, which the authority reports
		})
	}
	return out
}

// System opens the authority of that name in spec, or returns the one that is
// open. It does no network I/O; the error means that the campaign's
// specification is unusable.
func (r *Registry) System(spec *config.Campaign, name string) (authority.System, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := spec.Directories[name]; ok {
		return r.directory(spec, name)
	}
	return r.system(spec, name)
}

func (r *Registry) system(spec *config.Campaign, name string) (authority.System, error) {
	s := spec.Authority(name)
	if s == nil {
		return nil, fmt.Errorf("the campaign file has no authority called %q", name)
	}
	open, ok := systems[s.Type()]
	if !ok {
		return nil, fmt.Errorf("authority %s: nothing opens the type %q", name, s.Type())
	}
	key, err := json.Marshal([]any{name, s.Type(), s})
	if err != nil {
		return nil, err
	}
	if a, ok := r.sys[string(key)]; ok {
		return a, nil
	}
	a, err := open(r, name, s)
	if err == nil {
		r.sys[string(key)] = a
	}
	return a, err
}

// Close releases every connection.
func (r *Registry) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var first error
	for _, d := range r.dirs {
		if err := d.Close(); err != nil && first == nil {
			first = err
		}
	}
	for _, s := range r.sys {
		if err := s.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func openLDAPPassword(r *Registry, spec *config.Campaign, name string) (kind.Authority, error) {
	c, err := r.directory(spec, name)
	if err != nil {
		return nil, err
	}
	return r.withVault(spec, ldappassword.New(c, spec.Directories[name].Password, r.vault.GeneratePassword)), nil
}

func openADPassword(r *Registry, spec *config.Campaign, name string) (kind.Authority, error) {
	c, err := r.directory(spec, name)
	if err != nil {
		return nil, err
	}
	return r.withVault(spec, adpassword.New(c, spec.Directories[name].Password, r.vault.GeneratePassword)), nil
}

func openUserPassword(r *Registry, spec *config.Campaign, name string) (kind.Authority, error) {
	c, err := r.directory(spec, name)
	if err != nil {
		return nil, err
	}
	return r.withVault(spec, userpassword.New(c, spec.Directories[name].Password, r.vault.GeneratePassword)), nil
}

// withVault: accounts of a directory may log in to Vault too.
func (r *Registry) withVault(spec *config.Campaign, directory kind.Authority) kind.Authority {
	return vaultlogin.Around(directory, r.tokens, credential.VaultAuthority).Counting(r.tally(spec))
}

// tally counts the wrong logins at Vault where all workers find them.
func (r *Registry) tally(spec *config.Campaign) minted.Tally {
	return ownmount.On(r.vault, ownmount.Settings{Mount: spec.Vault.Mount, Transit: spec.Vault.Transit})
}

func openAppRoleSecretID(r *Registry, spec *config.Campaign, name string) (kind.Authority, error) {
	return approlesecretid.New(r.vault.API(), name).WithLogin(r.vault).Counting(r.tally(spec)), nil
}

func openUserpassPassword(r *Registry, spec *config.Campaign, name string) (kind.Authority, error) {
	return userpasspassword.New(r.vault.API(), name, spec.Vault.Password, r.vault.GeneratePassword).Counting(r.tally(spec)), nil
}

func openPostgres(r *Registry, name string, s authority.Settings) (authority.Finder, error) {
	return postgres.OpenSystem(name, s.(settings.Cluster), r.secrets(s)...)
}

func openPostgresPassword(r *Registry, spec *config.Campaign, name string) (kind.Authority, error) {
	db, err := r.system(spec, name)
	if err != nil {
		return nil, err
	}
	return postgrespassword.New(db.(*postgres.System), spec.Authority(name).Passwords(), r.vault.GeneratePassword), nil
}

func openByHand(r *Registry, spec *config.Campaign, name string) (kind.Authority, error) {
	return byhand.New(name, spec.Vault.Password, r.vault.GeneratePassword), nil
}

func openVaultToken(r *Registry, _ *config.Campaign, name string) (kind.Authority, error) {
	return vaulttoken.New(r.tokens, name), nil
}
