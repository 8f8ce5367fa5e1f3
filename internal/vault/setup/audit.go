package setup

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/paste"
	"rollcall/internal/plural"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// An audit device keeps hashes of values (HMAC). With log_raw it keeps the
// values themselves, and so does each of them for a mount whose
// audit_non_hmac_…_keys name what holds a value. Whoever reads the log, or has
// it sent to him, then reads each new value as it is staged
// (https://developer.hashicorp.com/vault/docs/audit#sensitive-information).

// Clear is a setting of Vault by which audit devices keep values as they are.
type Clear struct {
	Place string // as it is accepted in the campaign file
	Why   string
	Do    string
}

// InClear gives such settings that nobody has accepted, and those that were;
// shown is false where our token may not list audit devices.
func InClear(ctx context.Context, s *ownmount.Store, c *config.Campaign, known []credential.Credential) (open, accepted []Clear, shown bool, err error) {
	devices, err := s.API().Logical().ReadWithContext(ctx, auditDevices)
	shown = err == nil
	if err != nil {
		if failed := s.Fail("list audit devices", auditDevices, read, err); !vault.IsDenied(failed) {
			return nil, nil, false, failed
		}
	}
	var all []Clear
	if devices != nil {
		for _, name := range slices.Sorted(maps.Keys(devices.Data)) {
			about, _ := devices.Data[name].(map[string]any)
			options, _ := about["options"].(map[string]any)
			text, _ := options["log_raw"].(string)
			if raw, err := strconv.ParseBool(text); err == nil && raw {
				at := auditDevices + "/" + strings.Trim(name, "/")
				all = append(all, Clear{at, fmt.Sprintf("the audit device %s (%v) keeps values as they are (log_raw), and so each new value as it is staged", at, about["type"]),
					"find out who enabled it, and when; vault audit disable " + paste.Last(strings.Trim(name, "/"))})
			}
		}
	}
	if !shown || len(devices.Data) > 0 {
		more, err := mountsInClear(ctx, s, c, known)
		if err != nil {
			return nil, nil, shown, err
		}
		all = append(all, more...)
	}
	for _, f := range all {
		if slices.ContainsFunc(c.Accept, func(a config.Accept) bool { return a.Vault == f.Place }) {
			accepted = append(accepted, f)
			continue
		}
		open = append(open, f)
	}
	return open, accepted, shown, nil
}

const auditDevices = "sys/audit"

// mountsInClear looks at the mounts through which the campaign's values go, as
// far as our token sees them.
func mountsInClear(ctx context.Context, s *ownmount.Store, c *config.Campaign, known []credential.Credential) (out []Clear, err error) {
	const at = "sys/internal/ui/mounts"
	got, err := s.API().Logical().ReadWithContext(ctx, at)
	if err != nil {
		if failed := s.Fail("list mounts", at, read, err); !vault.IsDenied(failed) {
			return nil, failed
		}
		return nil, nil
	}
	if got == nil {
		return nil, nil
	}
	// What that shows of auth mounts are those below which our token may do
	// something.
	all, err := s.API().Logical().ReadWithContext(ctx, authMounts)
	if err != nil {
		if failed := s.Fail("list auth mounts", authMounts, read, err); !vault.IsDenied(failed) {
			return nil, failed
		}
	} else if all != nil {
		got.Data["auth"] = all.Data
	}
	ours := valuesPass(c, known)
	for _, sort := range []string{"secret", "auth"} {
		mounts, _ := got.Data[sort].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(mounts)) {
			about, _ := mounts[name].(map[string]any)
			fields, passes := ours[sort+" "+strings.Trim(name, "/")]
			// A consumer's first login with its new password would stand in the
			// log, and our secret-id, with which all that is staged is read. A
			// directory's password may be asked for by any method that has
			// somebody else check it.
			if method, _ := about["type"].(string); !passes && (sort != "auth" || !credential.MethodOf(method).TakesSecrets()) {
				continue
			}
			tuned, _ := about["config"].(map[string]any)
			for _, key := range []string{"audit_non_hmac_request_keys", "audit_non_hmac_response_keys"} {
				if plain := holdValues(tuned[key], fields); len(plain) > 0 {
					tune := map[string]string{"secret": "sys/mounts/", "auth": "sys/auth/"}[sort] + strings.Trim(name, "/") + "/tune"
					out = append(out, Clear{tune, fmt.Sprintf("for the mount %s audit devices keep %s as it is (%s), and so each new value", name, strings.Join(plain, ", "), key),
						fmt.Sprintf("find out who set it; vault write %s %s=", paste.Shell(tune), key)})
				}
			}
		}
	}
	return out, nil
}

const authMounts = "sys/auth"

// valuesPass are the mounts through which the campaign's values go, by "secret"
// or "auth" and name, each with the fields that hold them there.
func valuesPass(c *config.Campaign, known []credential.Credential) map[string]map[string]bool {
	mounts := map[string]map[string]bool{"secret " + c.Vault.Mount: {}}
	for _, k := range known {
		for _, p := range k.Places() {
			at := "secret " + p.Mount
			if mounts[at] == nil {
				mounts[at] = map[string]bool{}
			}
			for _, field := range p.Fields() {
				mounts[at][field] = true
			}
		}
		if i := strings.LastIndex(k.Subject, "/"); k.Kind.OpensVault() && i > 0 {
			mounts["auth "+k.Subject[:i]] = map[string]bool{}
		}
	}
	return mounts
}

// harmless are the keys under which no request and no answer has a value. The
// name of the innermost field counts (Vault: audit/hashstructure.go), and a
// secret's fields have any name: so all others are taken to hold one.
var harmless = []string{
	"accessor", "cas", "cas_required", "created_time", "creation_time", "current_version", "custom_metadata", "delete_version_after", "deletion_time",
	"destroyed", "error", "errors", "expiration_time", "last_updated_time", "lease", "lease_duration", "lease_id", "max_versions", "metadata", "mount_type",
	"oldest_version", "options", "policies", "renewable", "role_name", "secret_id_accessor", "secret_id_num_uses", "secret_id_ttl", "token_policies", "ttl",
	"updated_time", "username", "version", "versions",
}

// holdValues are those of a mount's keys under which requests and answers may
// have a value. fields are those of the campaign's paths there.
func holdValues(keys any, fields map[string]bool) (out []string) {
	list, _ := keys.([]any)
	for _, k := range list {
		if name, _ := k.(string); name != "" && (fields[name] || !slices.Contains(harmless, strings.ToLower(name))) {
			out = append(out, name)
		}
	}
	return out
}

// acceptClear is how a person takes it upon himself.
func (f Clear) acceptClear() string {
	return "one that is meant is accepted: " + paste.Entry("accept", "vault", f.Place)
}

// Audit is Doctor's check of it.
func Audit(ctx context.Context, s *ownmount.Store, c *config.Campaign, known []credential.Credential) Check {
	const name = "vault audit"
	open, accepted, shown, err := InClear(ctx, s, c, known)
	switch {
	case err != nil:
		return Check{What: name, Detail: err.Error(), Do: "put that right: whether an audit device keeps values as they are was not seen"}
	case len(open) > 0:
		var why []string
		for _, f := range open {
			why = append(why, f.Why)
		}
		return Check{What: name, Detail: strings.Join(why, "; "), Do: open[0].Do + "; " + open[0].acceptClear()}
	case !shown:
		return Check{What: name, OK: true, NotChecked: true, Detail: "not checked: this login may not list audit devices (read and sudo on sys/audit, which rollcall init gives the worker). One with log_raw keeps each new value as it is: ask an administrator for vault audit list -detailed"}
	case len(accepted) > 0:
		return Check{What: name, OK: true, Detail: plural.Count(len(accepted), "setting by which audit devices keep values as they are, accepted by the campaign file", "settings by which audit devices keep values as they are, accepted by the campaign file")}
	}
	return Check{What: name, OK: true, Detail: "no audit device keeps values as they are"}
}

// RequireAudit is the check for whoever is about to stage values.
func RequireAudit(ctx context.Context, s *ownmount.Store, c *config.Campaign, known []credential.Credential) error {
	open, _, _, err := InClear(ctx, s, c, known)
	if err != nil || len(open) == 0 {
		return err
	}
	f := open[0]
	return fmt.Errorf("vault %s: %s: whoever reads that log, or made it, would have them all; nothing was changed; %s; %s", s.Address(), f.Why, f.Do, f.acceptClear())
}
