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
		if b, err := os.ReadFile(filepath.Join(home, ".vault-token")); err == nil && len(strings.TrimSpace(string(b))) > 0 {
			return identity{token: credential.NewSecret(strings.TrimSpace(string(b)))}, nil
		}
	}
	return identity{}, fmt.Errorf("vault: no login: set VAULT_TOKEN, or run `vault login`, or set %s and %s", EnvRoleID, EnvSecretIDFile)
}

// readSecretID refuses a file that others may read: whoever can read it is Rollcall to Vault.
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
}

// login makes sure of a token that Vault accepts and says how long it lasts.
func (s *Store) login(ctx context.Context, who identity) (lease, error) {
	if !who.appRole() {
		s.api.SetToken(who.token.Reveal())
		self, err := s.api.Auth().Token().LookupSelfWithContext(ctx)
		if err != nil {
			return lease{}, s.fail("check our token", "auth/token/lookup-self", read, err)
		}
		ttl, err := self.TokenTTL()
		if err != nil {
			return lease{}, s.fail("check our token", "auth/token/lookup-self", read, err)
		}
		renewable, err := self.TokenIsRenewable()
		if err != nil {
			return lease{}, s.fail("check our token", "auth/token/lookup-self", read, err)
		}
		return lease{ttl, renewable}, nil
	}
	secretID, err := readSecretID(who.secretIDFile)
	if err != nil {
		return lease{}, err
	}
	const path = "auth/" + appRoleMount + "/login"
	// A client without the old token: an expired one must not stand in the way.
	bare, err := s.api.CloneWithHeaders()
	if err != nil {
		return lease{}, s.fail("log in", path, update, err)
	}
	bare.ClearToken()
	got, err := bare.Logical().WriteWithContext(ctx, path, map[string]any{"role_id": who.roleID, "secret_id": secretID.Reveal()})
	if err != nil {
		return lease{}, s.fail("log in by AppRole", path, update, err)
	}
	if got == nil || got.Auth == nil {
		return lease{}, &Error{Op: "log in by AppRole", Path: path, Server: s.api.Address(), Kind: Other, Detail: "the answer holds no token"}
	}
	s.api.SetToken(got.Auth.ClientToken)
	return lease{time.Duration(got.Auth.LeaseDuration) * time.Second, got.Auth.Renewable}, nil
}

// keep holds the login until ctx ends. A token that cannot be kept shows
// itself at the next call as TokenExpired, so failures here need no report.
func (s *Store) keep(ctx context.Context, who identity, l lease) {
	for {
		if l.ttl <= 0 || (!l.renewable && !who.appRole()) {
			return
		}
		// Two thirds leaves time for several tries before the token ends.
		if !wait(ctx, l.ttl*2/3) {
			return
		}
		next, err := s.prolong(ctx, who, l)
		for pause := time.Second; err != nil; pause = min(2*pause, 30*time.Second) {
			if !wait(ctx, pause) {
				return
			}
			next, err = s.prolong(ctx, who, l)
		}
		l = next
	}
}

// prolong renews, or logs in again where renewing gains less than half of the
// last term: near its end of life (token_max_ttl) Vault grants ever shorter ones.
func (s *Store) prolong(ctx context.Context, who identity, l lease) (lease, error) {
	if l.renewable {
		got, err := s.api.Auth().Token().RenewSelfWithContext(ctx, 0)
		if err == nil && got != nil && got.Auth != nil {
			next := lease{time.Duration(got.Auth.LeaseDuration) * time.Second, got.Auth.Renewable}
			if next.ttl > l.ttl/2 || !who.appRole() {
				return next, nil
			}
		}
		if !who.appRole() {
			return lease{}, s.fail("renew our token", "auth/token/renew-self", update, err)
		}
	}
	return s.login(ctx, who)
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
