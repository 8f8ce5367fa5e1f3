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
func (c *Client) ChooseLogin() error {
	who, err := chooseLogin()
	if err != nil {
		return err
	}
	c.login.init(who)
	return nil
}

// AppRole reports whether we log in by an AppRole, and not with a token that a
// person holds.
func (c *Client) AppRole() bool { return c.login.who.appRole() }

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
func (c *Client) LogIn(ctx context.Context) (Lease, error) {
	who := c.login.who
	if !who.appRole() {
		c.api.SetToken(who.token.Reveal())
		l, err := c.lookUp(ctx, who.token.Reveal())
		if err == nil {
			c.login.holds(l)
		}
		return l, err
	}
	c.login.changing.Lock()
	defer c.login.changing.Unlock()
	secretID, err := readSecretID(who.secretIDFile)
	if err != nil {
		return Lease{}, err
	}
	if err := c.login.refusal(secretID); err != nil {
		return Lease{}, err
	}
	auth, err := c.present(ctx, secretID)
	if err != nil {
		c.login.refuse(c, secretID, err)
		return Lease{}, err
	}
	return c.take(auth, secretID), nil
}

// present offers a secret-id of our role to Vault.
func (c *Client) present(ctx context.Context, secretID credential.Secret) (*vaultapi.SecretAuth, error) {
	const path = "auth/" + AppRoleMount + "/login"
	// A client without the old token: an expired one must not stand in the way.
	bare, err := c.api.CloneWithHeaders()
	if err != nil {
		return nil, c.Fail("log in", path, Update, err)
	}
	bare.ClearToken()
	got, err := bare.Logical().WriteWithContext(ctx, path, map[string]any{"role_id": c.login.who.roleID, "secret_id": secretID.Reveal()})
	if err != nil {
		return nil, c.Fail("log in by AppRole", path, Update, err)
	}
	if got == nil || got.Auth == nil {
		return nil, &Error{Op: "log in by AppRole", Path: path, Server: c.api.Address(), Kind: Other, Detail: "the answer holds no token"}
	}
	return got.Auth, nil
}

// take works with the token of a login from now on.
func (c *Client) take(auth *vaultapi.SecretAuth, secretID credential.Secret) Lease {
	c.api.SetToken(auth.ClientToken)
	c.login.accept(auth.Metadata["role_name"], secretID)
	l := leaseOf(auth)
	c.login.holds(l)
	return l
}

// keep holds the login until ctx ends. A token that cannot be kept shows
// itself at the next call as TokenExpired, so failures here need no report.
func (c *Client) keep(ctx context.Context, l Lease) {
	pause := time.Second
	for due := c.dueAfter(l); ; {
		next, ok := c.rest(ctx, due)
		if !ok {
			return
		}
		if next == nil && time.Now().Before(due) {
			continue
		}
		if next == nil {
			got, err := c.prolong(ctx, l)
			if err != nil {
				due = time.Now().Add(pause)
				pause = min(2*pause, 30*time.Second)
				continue
			}
			next = &got
		}
		l, due, pause = *next, c.dueAfter(*next), time.Second
	}
}

// rest waits until due, or for what a look at our secret-id in Vault brings:
// the lease of another login that was made meanwhile.
func (c *Client) rest(ctx context.Context, due time.Time) (other *Lease, ok bool) {
	look := time.Until(due)
	switch {
	case c.Role() != "":
		look = min(look, WatchEvery)
	case !c.login.who.appRole():
		look = min(look, tokenLooked)
	}
	t := time.NewTimer(look)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return nil, false
	case l := <-c.login.renewed:
		return &l, true
	case <-t.C:
	}
	switch {
	case !time.Now().Before(due):
		return nil, true
	case c.Role() != "":
		return c.watch(ctx), true
	case !c.login.who.appRole():
		return c.anotherToken(ctx), true
	}
	return nil, true
}

const endless = 100 * 365 * 24 * time.Hour

// dueAfter is when a token must be prolonged: two thirds of its life leaves
// time for several tries before it ends.
func (c *Client) dueAfter(l Lease) time.Time {
	switch {
	case l.TTL <= 0:
		return time.Now().Add(endless)
	case !l.Renewable && !c.login.who.appRole():
		return time.Now().Add(endless) // nothing prolongs it: see anotherToken
	}
	return time.Now().Add(l.TTL * 2 / 3)
}

// prolong renews, or logs in again where renewing gains less than half of the
// last term: near its end of life (token_max_ttl) Vault grants ever shorter
// ones.
func (c *Client) prolong(ctx context.Context, l Lease) (Lease, error) {
	if l.Renewable {
		got, err := c.api.Auth().Token().RenewSelfWithContext(ctx, 0)
		if err == nil && got != nil && got.Auth != nil {
			next := leaseOf(got.Auth)
			if next.TTL > l.TTL/2 || !c.login.who.appRole() {
				c.login.holds(next)
				return next, nil
			}
		}
		if !c.login.who.appRole() {
			return Lease{}, c.Fail("renew our token", "auth/token/renew-self", Update, err)
		}
	}
	return c.LogIn(ctx)
}
