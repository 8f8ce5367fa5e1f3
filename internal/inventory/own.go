package inventory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// ownIdentities are the credentials with which Rollcall works, by id: the place
// of each among the last waves of the campaign, or notByUs.
type ownIdentities map[string]int

// ownSource is the type of the source of what Rollcall itself works with.
const ownSource = "own"

// notByUs: Rollcall logs in with it, and no other identity could set its new
// value, so a campaign that tried would lock itself out.
const notByUs = -1

// addOwn puts on the roll what Rollcall works with and can rotate, because
// whoever had the device may have met it: bind identities that can reset each
// other and, if the file says so, the workers' AppRole. A single identity is
// listed only where a source finds it.
func (l *lister) addOwn(ctx context.Context) error {
	for _, name := range l.c.Authorities() {
		pair := l.c.Authority(name).Logins()
		if len(pair) != 2 {
			continue
		}
		for n, login := range pair {
			l.add(Candidate{
				Kind: l.c.KindOf(name), Authority: name, Account: login.Name, Path: &login.Secret,
				Reason: credential.Reason{Source: "rollcall", Type: ownSource, Detail: fmt.Sprintf("Rollcall's own bind identity %c", 'A'+n)},
			})
		}
	}
	if !l.c.Vault.RotateLogin {
		return nil
	}
	role, err := l.loginRole(ctx)
	if err != nil {
		return err
	}
	if role != vault.WorkerRole && role != vault.OperatorRole {
		l.warn(credential.FindingOwnLogin, "vault.rotate_login has no effect with this login, which is not one of the AppRoles that rollcall init made: the workers' login is not on the roll")
		return nil
	}
	l.warn(credential.FindingOwnLogin, "the logins of the ledger worker and of operators are not on the roll: if the device may have known one, rotate it by hand (docs/operations.md)")
	mount, name, _ := cutRole(vault.WorkerRole)
	a, path := roleAccount(mount, name), vault.OwnSecretID(l.c.Vault.Mount)
	l.add(Candidate{
		Kind: credential.AppRoleSecretID, Authority: credential.VaultAuthority, Account: a.Subject, Found: &a, Path: &path,
		Reason: credential.Reason{Source: "rollcall", Type: ownSource, Detail: "the login of Rollcall's own workers"},
	})
	return nil
}

// loginRole is the AppRole that this process is logged in with, as mount/role,
// or the userpass user, as mount/name; empty if it is neither.
func (l *lister) loginRole(ctx context.Context) (string, error) {
	const at = "auth/token/lookup-self"
	sec, err := l.vault.API().Auth().Token().LookupSelfWithContext(ctx)
	if err != nil {
		return "", fmt.Errorf("finding out what we are logged in with: %w", vaultError("read", at, err))
	}
	if sec == nil {
		return "", nil
	}
	login, _ := sec.Data["path"].(string)
	meta, _ := sec.Data["meta"].(map[string]any)
	role, _ := meta["role_name"].(string)
	if mount, ok := strings.CutSuffix(strings.TrimPrefix(login, "auth/"), "/login"); ok && role != "" {
		return roleAccount(mount, role).Subject, nil
	}
	// The path has the name as it was typed.
	if mount, _, ok := strings.Cut(strings.TrimPrefix(login, "auth/"), "/login/"); ok && meta["username"] != nil {
		user, _ := meta["username"].(string)
		return userAccount(mount, user).Subject, nil
	}
	return "", nil
}

// findOwnIdentities finds them. Those that are rotated get a wave each, after
// all else: the first of a pair is dead before the second is touched, and no
// other credential is in those waves. The workers' own login to Vault, which
// everything needs, is the last.
func (l *lister) findOwnIdentities(ctx context.Context, known accounts) (ownIdentities, error) {
	own := ownIdentities{}
	last := 0
	for _, name := range l.c.Authorities() {
		logins := l.c.Authority(name).Logins()
		for _, login := range logins {
			for _, a := range known[refTo(l.c, name, login.Name)] {
				own[name+"/"+a.Subject] = notByUs
				if len(logins) == 2 {
					own[name+"/"+a.Subject] = last
					last++
				}
			}
		}
	}
	if !slices.ContainsFunc(l.candidates, func(c Candidate) bool { return c.Authority == credential.VaultAuthority }) {
		return own, nil
	}
	if err := l.ownUsers(ctx, known, own); err != nil {
		return nil, err
	}
	role, err := l.loginRole(ctx)
	if role != "" {
		own[credential.VaultAuthority+"/"+role] = notByUs
	}
	if slices.ContainsFunc(l.candidates, isOwnLogin) {
		own[credential.VaultAuthority+"/"+vault.WorkerRole] = last
	}
	return own, err
}

// isOwnLogin: addOwn listed it.
func isOwnLogin(c Candidate) bool {
	return c.Found != nil && c.Found.Subject == vault.WorkerRole && c.Reason.Type == ownSource
}

// leaveOwnIdentities marks what nobody but a person can rotate. It stays on the
// roll as an open exception, since the device may know it too.
func (m *merger) leaveOwnIdentities(own ownIdentities) []Warning {
	var warnings []Warning
	for id, place := range own {
		l := m.drafts[id]
		if l == nil || place != notByUs {
			continue
		}
		l.Problem = credential.OwnIdentity
		hint := "rotate it by hand after the campaign, with another identity"
		if a := m.c.Authority(l.Authority); a != nil {
			hint = fmt.Sprintf("name a pair under %s.%s.bind and each is rotated by the other, or %s", a.Type(), l.Authority, hint)
		}
		warnings = append(warnings, Warning{Code: credential.FindingOwnLogin, Detail: fmt.Sprintf("%s is what Rollcall itself logs in with: it stays open; %s", l.Name, hint)})
	}
	return warnings
}
