package inventory

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"sort"
	"strings"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// appRoles lists the roles of an auth mount that tie to the device by their
// name, by an address they or their secret-ids are bound to, or by the
// metadata of a secret-id (Vault API docs, auth/approle).
func (l *lister) appRoles(ctx context.Context, s config.Source) error {
	roles, err := l.listRoles(ctx, s.Mount)
	if err != nil {
		return fmt.Errorf("source %s: %w", s.Name, err)
	}
	for _, role := range roles {
		why, err := l.whyRole(ctx, s, role)
		if err != nil {
			return &naming{
				fmt.Errorf("source %s: AppRole %s/%s: %w", s.Name, s.Mount, role, err),
				fmt.Sprintf("source %s: an AppRole of auth mount %s cannot be read", s.Name, s.Mount),
			}
		}
		if why == "" {
			continue
		}
		a := roleAccount(s.Mount, role)
		l.add(Candidate{
			Kind:      credential.AppRoleSecretID,
			Authority: credential.VaultAuthority,
			Account:   a.Subject,
			Found:     &a,
			Reason:    credential.Reason{Source: s.Name, Type: s.Type, Detail: why},
		})
	}
	return nil
}

func roleAccount(mount, role string) Account {
	subject := mount + "/" + strings.ToLower(role) // Vault stores role names in lower case
	return Account{Subject: subject, Name: subject, Short: strings.ToLower(role), Logins: []string{subject}, kind: credential.AppRoleSecretID}
}

// whyRole is the first evidence that ties the role to the device, or "".
func (l *lister) whyRole(ctx context.Context, s config.Source, role string) (string, error) {
	if s.Role != "" {
		if ok, err := config.Matches(strings.ToLower(s.Role), strings.ToLower(role)); err != nil || ok {
			return "role name matches " + s.Role, err
		}
	}
	if s.CIDR == "" && len(s.Metadata) == 0 {
		return "", nil
	}
	at := "auth/" + s.Mount + "/role/" + role
	data, err := l.roleOnce(ctx, at)
	if err != nil {
		return "", vaultError("read", at, err)
	}
	if data == nil {
		return "", nil // deleted since it was listed
	}
	if b := boundTo(data, s.CIDR); b != "" {
		return "role is bound to " + b, nil
	}
	return l.whySecretID(ctx, s, at)
}

// roleOnce reads an AppRole or a user; nil: it is not there.
func (l *lister) roleOnce(ctx context.Context, at string) (map[string]any, error) {
	if data, ok := l.entries.Load(at); ok {
		return data.(map[string]any), nil
	}
	got, err := l.vault.API().Logical().ReadWithContext(ctx, at)
	if err != nil || got == nil {
		return nil, err
	}
	l.entries.Store(at, got.Data)
	return got.Data, nil
}

func (l *lister) whySecretID(ctx context.Context, s config.Source, role string) (string, error) {
	list, err := l.vault.API().Logical().ListWithContext(ctx, role+"/secret-id")
	if err != nil {
		return "", vaultError("list", role+"/secret-id", err)
	}
	for _, accessor := range keys(list) {
		at := role + "/secret-id-accessor/lookup"
		sec, err := l.vault.API().Logical().WriteWithContext(ctx, at, map[string]any{"secret_id_accessor": accessor})
		if vault.Answered(err, http.StatusNotFound) {
			continue // expired since it was listed
		}
		if err != nil {
			return "", vaultError("update", at, err)
		}
		if sec == nil {
			continue
		}
		if b := boundTo(sec.Data, s.CIDR); b != "" {
			return "a secret-id is bound to " + b, nil
		}
		if len(s.Metadata) > 0 && holds(sec.Data["metadata"], s.Metadata) {
			return "a secret-id has the metadata " + pairs(s.Metadata), nil
		}
	}
	return "", nil
}

// listRoles lists the roles of an AppRole mount.
func (l *lister) listRoles(ctx context.Context, mount string) ([]string, error) {
	return l.listOnce(ctx, "auth/"+mount+"/role")
}

// listOnce lists a folder of an auth mount; several rooms of the listing ask.
func (l *lister) listOnce(ctx context.Context, at string) ([]string, error) {
	if names, ok := l.folders.Load(at); ok {
		return slices.Clone(names.([]string)), nil
	}
	got, err := l.vault.API().Logical().ListWithContext(ctx, at)
	if err != nil {
		return nil, vaultError("list", at, err)
	}
	names := keys(got)
	l.folders.Store(at, slices.Clone(names))
	return names, nil
}

func keys(s *vaultapi.Secret) []string {
	if s == nil {
		return nil
	}
	return texts(s.Data["keys"])
}

func texts(v any) []string {
	list, _ := v.([]any)
	out := make([]string, 0, len(list))
	for _, k := range list {
		if s, ok := k.(string); ok {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return out
}

// boundTo is the first network a role or secret-id is bound to that overlaps
// with cidr. Several keys, because Vault renamed them over time.
func boundTo(data map[string]any, cidr string) string {
	want, err := netip.ParsePrefix(cidr)
	if err != nil {
		return ""
	}
	for _, key := range []string{"secret_id_bound_cidrs", "token_bound_cidrs", "cidr_list", "bound_cidr_list"} {
		for _, s := range texts(data[key]) {
			if p, err := config.ParseCIDR(s); err == nil && p.Overlaps(want) {
				return s
			}
		}
	}
	return ""
}

func holds(metadata any, want map[string]string) bool {
	have, _ := metadata.(map[string]any)
	for k, v := range want {
		if s, ok := have[k].(string); !ok || s != v {
			return false
		}
	}
	return true
}

func pairs(m map[string]string) string {
	out := make([]string, 0, len(m))
	for k, v := range m {
		out = append(out, k+"="+v)
	}
	sort.Strings(out)
	return strings.Join(out, " ")
}

// vaultError says what to do about a refused or failed read of Vault.
func vaultError(capability, at string, err error) error {
	const given = "; the listing was given up and nothing was changed"
	if vault.Answered(err, http.StatusForbidden) {
		return &refusal{fmt.Sprintf("the token lacks the capability %q on %s (or has expired)%s: grant it (rollcall init --print shows the policies), then list again", capability, at, given), err}
	}
	return &refusal{fmt.Sprintf("%s of %s in Vault: %s%s: check that Vault is unsealed and the mount exists (rollcall doctor), then list again", capability, at, vault.Words(err), given), err}
}

// refusal is Vault's answer in our words.
type refusal struct {
	words string
	cause error
}

func (r *refusal) Error() string { return r.words }
func (r *refusal) Unwrap() error { return r.cause }
