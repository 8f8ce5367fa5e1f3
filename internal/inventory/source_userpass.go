package inventory

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// userpass lists the users of an auth mount that tie to the device by their
// name or by an address that they are bound to (Vault API docs, auth/userpass).
func (l *lister) userpass(ctx context.Context, s config.Source) error {
	users, err := l.listUsers(ctx, s.Mount)
	if err != nil {
		return fmt.Errorf("source %s: %w", s.Name, err)
	}
	for _, user := range users {
		why, err := l.whyUser(ctx, s, user)
		if err != nil {
			return &naming{
				fmt.Errorf("source %s: userpass user %s/%s: %w", s.Name, s.Mount, user, err),
				fmt.Sprintf("source %s: a user of auth mount %s cannot be read", s.Name, s.Mount),
			}
		}
		if why == "" {
			continue
		}
		a := userAccount(s.Mount, user)
		l.add(Candidate{
			Kind:      credential.UserpassPassword,
			Authority: credential.VaultAuthority,
			Account:   a.Subject,
			Found:     &a,
			Reason:    credential.Reason{Source: s.Name, Type: s.Type, Detail: why},
		})
	}
	return nil
}

// whyUser is the first evidence that ties the user to the device, or "".
func (l *lister) whyUser(ctx context.Context, s config.Source, user string) (string, error) {
	if s.User != "" {
		if ok, err := config.Matches(strings.ToLower(s.User), user); err != nil || ok {
			return "user name matches " + s.User, err
		}
	}
	if s.CIDR == "" {
		return "", nil
	}
	at := "auth/" + s.Mount + "/users/" + user
	entry, err := l.roleOnce(ctx, at)
	if err != nil {
		return "", vaultError("read", at, err)
	}
	if entry == nil {
		return "", nil // deleted since it was listed
	}
	if b := boundTo(entry, s.CIDR); b != "" {
		return "user is bound to " + b, nil
	}
	return "", nil
}

// listUsers lists the users of a userpass mount, in lower case and each once: a
// new password for another spelling of a name leaves a user of that spelling
// behind whom nobody can log in as (1.21 tried).
func (l *lister) listUsers(ctx context.Context, mount string) ([]string, error) {
	names, err := l.listOnce(ctx, "auth/"+mount+"/users")
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		names[i] = strings.ToLower(name)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func userAccount(mount, user string) Account {
	user = strings.ToLower(user)
	subject := mount + "/" + user
	return Account{Subject: subject, Name: subject, Short: user, Logins: []string{subject}, kind: credential.UserpassPassword}
}

// lookUpUsers resolves references to users, as lookUpRoles does with roles.
func (l *lister) lookUpUsers(ctx context.Context, refs []mention, known accounts) error {
	byMount := map[string][]mention{}
	for _, ref := range refs {
		mount, _, _ := cutRole(ref.text)
		byMount[mount] = append(byMount[mount], ref)
	}
	for _, mount := range slices.Sorted(maps.Keys(byMount)) {
		if err := l.usersOf(ctx, mount, byMount[mount], known); err != nil {
			return err
		}
	}
	return nil
}

func (l *lister) usersOf(ctx context.Context, mount string, refs []mention, known accounts) error {
	users, err := l.listUsers(ctx, mount)
	if err != nil && !vault.Answered(err, http.StatusForbidden, http.StatusNotFound) {
		return &naming{fmt.Errorf("looking up the users of %s: %w", mount, err), "the users of an auth mount cannot be listed"}
	}
	for _, ref := range refs {
		_, user, _ := cutRole(ref.text)
		there := slices.Contains(users, strings.ToLower(user))
		if err != nil {
			at := "auth/" + mount + "/users/" + strings.ToLower(user)
			got, err := l.vault.API().Logical().ReadWithContext(ctx, at)
			switch {
			case vault.Answered(err, http.StatusForbidden, http.StatusNotFound, http.StatusBadRequest):
				known[reference{credential.VaultAuthority, ref.key}] = []Account{} // see accounts
			case err != nil:
				return &naming{fmt.Errorf("looking up the user %s: %w", ref.text, vaultError("read", at, err)), "a user of an auth mount cannot be read"}
			}
			there = got != nil
		}
		if there {
			known[reference{credential.VaultAuthority, ref.key}] = []Account{userAccount(mount, user)}
		}
	}
	return nil
}

// userLimits says before the run what is known to keep a user from being
// rotated, or what outlives that.
func (l *lister) userLimits(ctx context.Context, c *credential.Credential) ([]credential.Finding, error) {
	mount, name, _ := cutRole(c.Subject)
	at := "auth/" + mount + "/users/" + name
	got, err := l.vault.API().Logical().ReadWithContext(ctx, at)
	if vault.Answered(err, http.StatusForbidden) || err == nil && got == nil {
		return nil, nil
	}
	if err != nil {
		return nil, vaultError("read", at, err)
	}
	found, err := l.batchTokens(ctx, c, mount, got.Data)
	if err != nil {
		return nil, err
	}
	if bound := bounds([]map[string]any{got.Data}); len(bound) > 0 {
		found = append(found, l.boundToDevice([]map[string]any{got.Data})...)
		found = append(found, credential.Finding{Code: credential.FindingLimits, Detail: "bound to the addresses " + strings.Join(bound, ", ") + ": a worker elsewhere can prove nothing, and the credential stays open (rights)"})
	}
	return found, nil
}
