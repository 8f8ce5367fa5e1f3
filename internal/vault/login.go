package vault

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/internal/credential"
)

// Environment variables of our own login.
const (
	EnvRoleID       = "ROLLCALL_ROLE_ID"
	EnvSecretIDFile = "ROLLCALL_SECRET_ID_FILE"
)

// appRoleMount is where rollcall init makes our roles.
const appRoleMount = "approle"

// identity is one way to log in: an AppRole, or a token that a person holds.
type identity struct {
	roleID       string
	secretIDFile string
	token        credential.Secret
	tokenFile    string // where the token is from; empty if from the environment
}

func (i identity) appRole() bool { return i.roleID != "" }

func chooseLogin() (identity, error) {
	role, file := os.Getenv(EnvRoleID), os.Getenv(EnvSecretIDFile)
	switch {
	case role != "" && file != "":
		return identity{roleID: role, secretIDFile: file}, nil
	case role != "":
		return identity{}, fmt.Errorf("vault: %s is set and %s is not: set both, or neither and VAULT_TOKEN", EnvRoleID, EnvSecretIDFile)
	case file != "":
		return identity{}, fmt.Errorf("vault: %s is set and %s is not: set both, or neither and VAULT_TOKEN", EnvSecretIDFile, EnvRoleID)
	}
	if t := strings.TrimSpace(os.Getenv(vaultapi.EnvVaultToken)); t != "" {
		return identity{token: credential.NewSecret(t)}, nil
	}
	if home, err := os.UserHomeDir(); err == nil {
		file := filepath.Join(home, ".vault-token")
		if b, err := os.ReadFile(file); err == nil && len(strings.TrimSpace(string(b))) > 0 {
			return identity{token: credential.NewSecret(strings.TrimSpace(string(b))), tokenFile: file}, nil
		}
	}
	return identity{}, fmt.Errorf("vault: no login: set VAULT_TOKEN, or run `vault login`, or set %s and %s", EnvRoleID, EnvSecretIDFile)
}

// readSecretID refuses a file that others may read: whoever can read it is
// Rollcall to Vault.
func readSecretID(file string) (credential.Secret, error) {
	fi, err := os.Stat(file)
	if err != nil {
		return credential.Secret{}, fmt.Errorf("vault: %s: %w", EnvSecretIDFile, err)
	}
	if fi.Mode().Perm()&0o037 != 0 {
		return credential.Secret{}, fmt.Errorf("vault: %s: %s has mode %04o: others may read or write it; chmod 0600 (0640 at most)", EnvSecretIDFile, file, fi.Mode().Perm())
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return credential.Secret{}, fmt.Errorf("vault: %s: %w", EnvSecretIDFile, err)
	}
	v := strings.TrimSpace(string(b))
	if v == "" {
		return credential.Secret{}, fmt.Errorf("vault: %s: %s is empty", EnvSecretIDFile, file)
	}
	return credential.NewSecret(v), nil
}

// lease says how long the token lasts. Zero ttl: for ever.
type lease struct {
	ttl       time.Duration
	renewable bool
	periodic  bool          // it can be renewed without end
	most      time.Duration // what is left of its life however often it is renewed; 0: not known
}

// logIn makes sure of a token that Vault accepts and says how long it lasts. A
// secret-id that was refused is not offered again until the file holds another
// one.
func (s *Store) logIn(ctx context.Context) (lease, error) {
	who := s.login.who
	if !who.appRole() {
		s.api.SetToken(who.token.Reveal())
		l, err := s.lookUp(ctx, who.token.Reveal())
		if err == nil {
			s.login.holds(l)
		}
		return l, err
	}
	s.login.changing.Lock()
	defer s.login.changing.Unlock()
	secretID, err := readSecretID(who.secretIDFile)
	if err != nil {
		return lease{}, err
	}
	if err := s.login.refusal(secretID); err != nil {
		return lease{}, err
	}
	auth, err := s.present(ctx, secretID)
	if err != nil {
		s.login.refuse(s, secretID, err)
		return lease{}, err
	}
	return s.take(auth, secretID), nil
}

// present offers a secret-id of our role to Vault.
func (s *Store) present(ctx context.Context, secretID credential.Secret) (*vaultapi.SecretAuth, error) {
	const path = "auth/" + appRoleMount + "/login"
	// A client without the old token: an expired one must not stand in the way.
	bare, err := s.api.CloneWithHeaders()
	if err != nil {
		return nil, s.fail("log in", path, update, err)
	}
	bare.ClearToken()
	got, err := bare.Logical().WriteWithContext(ctx, path, map[string]any{"role_id": s.login.who.roleID, "secret_id": secretID.Reveal()})
	if err != nil {
		return nil, s.fail("log in by AppRole", path, update, err)
	}
	if got == nil || got.Auth == nil {
		return nil, &Error{Op: "log in by AppRole", Path: path, Server: s.api.Address(), Kind: Other, Detail: "the answer holds no token"}
	}
	return got.Auth, nil
}

// take works with the token of a login from now on.
func (s *Store) take(auth *vaultapi.SecretAuth, secretID credential.Secret) lease {
	s.api.SetToken(auth.ClientToken)
	s.login.accept(auth.Metadata["role_name"], secretID)
	l := leaseOf(auth)
	s.login.holds(l)
	return l
}

// keep holds the login until ctx ends. A token that cannot be kept shows
// itself at the next call as TokenExpired, so failures here need no report.
func (s *Store) keep(ctx context.Context, l lease) {
	pause := time.Second
	for due := s.dueAfter(l); ; {
		next, ok := s.rest(ctx, due)
		if !ok {
			return
		}
		if next == nil && time.Now().Before(due) {
			continue
		}
		if next == nil {
			got, err := s.prolong(ctx, l)
			if err != nil {
				due = time.Now().Add(pause)
				pause = min(2*pause, 30*time.Second)
				continue
			}
			next = &got
		}
		l, due, pause = *next, s.dueAfter(*next), time.Second
	}
}

// rest waits until due, or for what a look at our secret-id in Vault brings:
// the lease of another login that was made meanwhile.
func (s *Store) rest(ctx context.Context, due time.Time) (other *lease, ok bool) {
	look := time.Until(due)
	switch {
	case s.Role() != "":
		look = min(look, WatchEvery)
	case !s.login.who.appRole():
		look = min(look, tokenLooked)
	}
	t := time.NewTimer(look)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return nil, false
	case l := <-s.login.renewed:
		return &l, true
	case <-t.C:
	}
	switch {
	case !time.Now().Before(due):
		return nil, true
	case s.Role() != "":
		return s.watch(ctx), true
	case !s.login.who.appRole():
		return s.anotherToken(ctx), true
	}
	return nil, true
}

const endless = 100 * 365 * 24 * time.Hour

// dueAfter is when a token must be prolonged: two thirds of its life leaves
// time for several tries before it ends.
func (s *Store) dueAfter(l lease) time.Time {
	switch {
	case l.ttl <= 0:
		return time.Now().Add(endless)
	case !l.renewable && !s.login.who.appRole():
		return time.Now().Add(endless) // nothing prolongs it: see anotherToken
	}
	return time.Now().Add(l.ttl * 2 / 3)
}

// prolong renews, or logs in again where renewing gains less than half of the
// last term: near its end of life (token_max_ttl) Vault grants ever shorter
// ones.
func (s *Store) prolong(ctx context.Context, l lease) (lease, error) {
	if l.renewable {
		got, err := s.api.Auth().Token().RenewSelfWithContext(ctx, 0)
		if err == nil && got != nil && got.Auth != nil {
			next := leaseOf(got.Auth)
			if next.ttl > l.ttl/2 || !s.login.who.appRole() {
				s.login.holds(next)
				return next, nil
			}
		}
		if !s.login.who.appRole() {
			return lease{}, s.fail("renew our token", "auth/token/renew-self", update, err)
		}
	}
	return s.logIn(ctx)
}

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
