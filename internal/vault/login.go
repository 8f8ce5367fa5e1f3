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

// identity is one way to log in: an AppRole, or a token that a person holds.
type identity struct {
	roleID       string
	secretIDFile string
	token        credential.Secret
	tokenFile    string // where the token is from; empty if from the environment
}

func (i identity) appRole() bool { return i.roleID != "" }

// ChooseLogin takes the login that the environment names.
func (s *Client) ChooseLogin() error {
	who, err := chooseLogin()
	if err != nil {
		return err
	}
	s.login.init(who)
	return nil
}

// AppRole reports whether we log in by an AppRole, and not with a token that a
// person holds.
func (s *Client) AppRole() bool { return s.login.who.appRole() }

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

// Lease says how long the token lasts.
type Lease struct {
	TTL       time.Duration // 0: for ever
	Renewable bool
	periodic  bool          // it can be renewed without end
	Most      time.Duration // what is left of its life however often it is renewed; 0: not known
}

// LogIn makes sure of a token that Vault accepts and says how long it lasts. A
// secret-id that was refused is not offered again until the file holds another
// one.
func (s *Client) LogIn(ctx context.Context) (Lease, error) {
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
		return Lease{}, err
	}
	if err := s.login.refusal(secretID); err != nil {
		return Lease{}, err
	}
	auth, err := s.present(ctx, secretID)
	if err != nil {
		s.login.refuse(s, secretID, err)
		return Lease{}, err
	}
	return s.take(auth, secretID), nil
}

// present offers a secret-id of our role to Vault.
func (s *Client) present(ctx context.Context, secretID credential.Secret) (*vaultapi.SecretAuth, error) {
	const path = "auth/" + AppRoleMount + "/login"
	// A client without the old token: an expired one must not stand in the way.
	bare, err := s.api.CloneWithHeaders()
	if err != nil {
		return nil, s.Fail("log in", path, Update, err)
	}
	bare.ClearToken()
	got, err := bare.Logical().WriteWithContext(ctx, path, map[string]any{"role_id": s.login.who.roleID, "secret_id": secretID.Reveal()})
	if err != nil {
		return nil, s.Fail("log in by AppRole", path, Update, err)
	}
	if got == nil || got.Auth == nil {
		return nil, &Error{Op: "log in by AppRole", Path: path, Server: s.api.Address(), Kind: Other, Detail: "the answer holds no token"}
	}
	return got.Auth, nil
}

// take works with the token of a login from now on.
func (s *Client) take(auth *vaultapi.SecretAuth, secretID credential.Secret) Lease {
	s.api.SetToken(auth.ClientToken)
	s.login.accept(auth.Metadata["role_name"], secretID)
	l := leaseOf(auth)
	s.login.holds(l)
	return l
}

// keep holds the login until ctx ends. A token that cannot be kept shows
// itself at the next call as TokenExpired, so failures here need no report.
func (s *Client) keep(ctx context.Context, l Lease) {
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
func (s *Client) rest(ctx context.Context, due time.Time) (other *Lease, ok bool) {
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
func (s *Client) dueAfter(l Lease) time.Time {
	switch {
	case l.TTL <= 0:
		return time.Now().Add(endless)
	case !l.Renewable && !s.login.who.appRole():
		return time.Now().Add(endless) // nothing prolongs it: see anotherToken
	}
	return time.Now().Add(l.TTL * 2 / 3)
}

// prolong renews, or logs in again where renewing gains less than half of the
// last term: near its end of life (token_max_ttl) Vault grants ever shorter
// ones.
func (s *Client) prolong(ctx context.Context, l Lease) (Lease, error) {
	if l.Renewable {
		got, err := s.api.Auth().Token().RenewSelfWithContext(ctx, 0)
		if err == nil && got != nil && got.Auth != nil {
			next := leaseOf(got.Auth)
			if next.TTL > l.TTL/2 || !s.login.who.appRole() {
				s.login.holds(next)
				return next, nil
			}
		}
		if !s.login.who.appRole() {
			return Lease{}, s.Fail("renew our token", "auth/token/renew-self", Update, err)
		}
	}
	return s.LogIn(ctx)
}
