// Package setup makes what Rollcall needs in Vault, and looks before the day
// whether a campaign will find all of it: mounts, key, policies and roles;
// rights, clock, login, audit devices and what the mounts do with versions.
package setup

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/plural"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// versionsKept is how many versions of a secret of ours stay readable. Most
// have one or a few; in campaigns of earlier versions the anchors were versions
// of one secret.
const versionsKept = 1000

// Run makes what Rollcall needs in Vault: its KV v2 and transit mounts, the
// ledger's key, the policies and an AppRole for each. It needs an
// administrator's token. What exists in the right form stays as it is, so
// it can be run again at any time; done says, one line each, what there is
// and what was made. On an error what was made before it stays.
func Run(ctx context.Context, s *ownmount.Store, c *config.Campaign, known []credential.Credential) (done []string, err error) {
	for _, step := range []func() (string, error){
		func() (string, error) {
			return ensureMount(ctx, s, s.Mount(), "kv", map[string]string{"version": "2"}, "Rollcall: staged values, rolls, campaigns, checkpoints")
		},
		func() (string, error) { return ensureVersions(ctx, s) },
		func() (string, error) {
			return ensureMount(ctx, s, s.Transit(), "transit", nil, "Rollcall: the key that signs ledger checkpoints")
		},
		func() (string, error) { return ensureKey(ctx, s) },
		func() (string, error) { return ensureAppRoleMount(ctx, s) },
	} {
		line, err := step()
		if err != nil {
			return done, err
		}
		done = append(done, line)
	}
	running, err := runningOf(ctx, s, c.Device)
	if err != nil {
		return done, err
	}
	places, err := EnginePlaces(ctx, s)
	if err != nil {
		return done, err
	}
	for _, check := range checkAdopt(ctx, s, c) {
		done = append(done, fmt.Sprintf("NOT THERE: %s; %s", check.Detail, check.Do))
	}
	for _, p := range Policies(c, WithMounts(ctx, s, c, known), places...) {
		for _, step := range []func() (string, error){
			func() (string, error) { return ensureDevicePolicy(ctx, s, p, c.Device, running) },
			func() (string, error) { return ensureSum(ctx, s, p.Name) },
			func() (string, error) { return ensureRole(ctx, s, p.Name) },
		} {
			line, err := step()
			if err != nil {
				return done, err
			}
			done = append(done, line)
		}
	}
	people := TasksPolicy(c)
	line, err := ensurePolicy(ctx, s, people.Name, people.HCL)
	if err != nil {
		return done, err
	}
	return append(done, line+", for whoever does a task (give it to people, not to programs)"), nil
}

// runningOf names a campaign of the device that has not ended, or is empty.
func runningOf(ctx context.Context, s *ownmount.Store, device string) (string, error) {
	all, err := s.Campaigns(ctx, device)
	for _, r := range all {
		if r.ClosedAt.IsZero() {
			return r.Campaign, err
		}
	}
	return "", err
}

func ensureMount(ctx context.Context, s *ownmount.Store, path, kind string, options map[string]string, why string) (string, error) {
	op := "mount " + path
	mounts, err := s.API().Sys().ListMountsWithContext(ctx)
	if err != nil {
		return "", s.Fail("list mounts", "sys/mounts", read, err)
	}
	if m, ok := mounts[path+"/"]; ok {
		if m.Type != kind || m.Options["version"] != options["version"] {
			return "", fmt.Errorf("vault %s: %s/ is a mount of type %s%s; Rollcall needs a %s%s mount of its own: name another in the campaign file (vault.mount, vault.transit)",
				s.Address(), path, m.Type, m.Options["version"], kind, options["version"])
		}
		return fmt.Sprintf("mount %s/ (%s) is there", path, kind), nil
	}
	err = s.API().Sys().MountWithContext(ctx, path, &vaultapi.MountInput{Type: kind, Options: options, Description: why})
	if err != nil {
		return "", s.Fail(op, "sys/mounts/"+path, update, err)
	}
	return fmt.Sprintf("mount %s/ (%s) made", path, kind), nil
}

// ensureVersions sees to it that the mount keeps what is written: nothing on it
// may delete itself, and check-and-set is ours to ask for. It also waits for a
// new KV mount: Vault answers 400 until it has finished setting up versioning,
// in the background.
func ensureVersions(ctx context.Context, s *ownmount.Store) (string, error) {
	const op = "set up versions"
	at := s.Mount() + "/config"
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		got, err := s.API().Logical().ReadWithContext(ctx, at)
		if err == nil && keeps(got) {
			return fmt.Sprintf("%s/ keeps %d versions", s.Mount(), versionsKept), nil
		}
		if err == nil {
			if _, err = s.API().Logical().WriteWithContext(ctx, at, map[string]any{
				"max_versions": versionsKept, "delete_version_after": "0s", "cas_required": false,
			}); err == nil {
				return fmt.Sprintf("%s/ set to keep %d versions, without end", s.Mount(), versionsKept), nil
			}
		}
		err = s.Fail(op, at, update, err)
		if !vault.IsKind(err, vault.Other) || !wait(ctx, 100*time.Millisecond) {
			return "", err
		}
	}
}

func keeps(config *vaultapi.Secret) bool {
	after, known := deletesAfter(config)
	return known && after == 0 && config.Data["max_versions"] == json.Number(fmt.Sprint(versionsKept)) && config.Data["cas_required"] == false
}

func ensureKey(ctx context.Context, s *ownmount.Store) (string, error) {
	const op = "make the ledger's key"
	at := s.Transit() + "/keys/" + ownmount.LedgerKey
	got, err := s.API().Logical().ReadWithContext(ctx, at)
	if err != nil {
		return "", s.Fail(op, at, read, err)
	}
	if got != nil {
		if exportable, _ := got.Data["exportable"].(bool); exportable || got.Data["type"] != "ed25519" {
			return "", fmt.Errorf("vault %s: the key %s must be ed25519 and not exportable, and it is not: name another transit mount in the campaign file (vault.transit)", s.Address(), at)
		}
		return "key " + at + " (ed25519) is there", nil
	}
	// deletion_allowed is false by default, and stays so.
	_, err = s.API().Logical().WriteWithContext(ctx, at, map[string]any{"type": "ed25519", "exportable": false})
	if err != nil {
		return "", s.Fail(op, at, write, err)
	}
	return "key " + at + " (ed25519, not exportable) made", nil
}

func ensureAppRoleMount(ctx context.Context, s *ownmount.Store) (string, error) {
	methods, err := s.API().Sys().ListAuthWithContext(ctx)
	if err != nil {
		return "", s.Fail("list auth methods", "sys/auth", read, err)
	}
	if m, ok := methods[vault.AppRoleMount+"/"]; ok {
		if m.Type != vault.OwnMethod {
			return "", fmt.Errorf("vault %s: auth/%s is of type %s, so Rollcall's roles have no place: move it (`vault auth move`)", s.Address(), vault.AppRoleMount, m.Type)
		}
		return "auth/" + vault.AppRoleMount + " is there", nil
	}
	err = s.API().Sys().EnableAuthWithOptionsWithContext(ctx, vault.AppRoleMount, &vaultapi.EnableAuthOptions{Type: vault.OwnMethod})
	if err != nil {
		return "", s.Fail("enable AppRole", "sys/auth/"+vault.AppRoleMount, update, err)
	}
	return "auth/" + vault.AppRoleMount + " enabled", nil
}

// ensureDevicePolicy writes what a role needs for the device. While a campaign
// of it runs it only adds: that one goes by the file it was started with.
func ensureDevicePolicy(ctx context.Context, s *ownmount.Store, p Policy, device, running string) (string, error) {
	name, kept := DevicePolicy(p.Name, device), ""
	if running != "" {
		is, err := policyText(ctx, s, name)
		if err != nil {
			return "", err
		}
		now := parseRules(p.HCL)
		had := slices.DeleteFunc(parseRules(is), func(r rule) bool { return grants(now, r) })
		if len(had) > 0 {
			p.HCL = hcl(purposes[p.Name], device, append(now, had...))
			kept = fmt.Sprintf(", with %s that this file does not need and campaign %s may: it runs; run init again after it", plural.Count(len(had), "path", "paths"), running)
		}
	}
	line, err := ensurePolicy(ctx, s, name, p.HCL)
	return line + kept, err
}

// ensureSum writes the policy that tokens and AppRoles of a role have.
func ensureSum(ctx context.Context, s *ownmount.Store, policy string) (string, error) {
	devices, err := devicesOf(ctx, s, policy)
	if err != nil {
		return "", err
	}
	before, err := policyText(ctx, s, policy)
	if err != nil {
		return "", err
	}
	text, kept := sumText(purposes[policy], devices, before)
	line, err := ensurePolicy(ctx, s, policy, text)
	if kept > 0 {
		line += fmt.Sprintf(", with %s from before devices had policies of their own", plural.Count(kept, "path", "paths"))
	}
	return fmt.Sprintf("%s, for %s", line, strings.Join(slices.Sorted(maps.Keys(devices)), ", ")), err
}

func policyText(ctx context.Context, s *ownmount.Store, name string) (string, error) {
	text, err := s.API().Sys().GetPolicyWithContext(ctx, name)
	if err != nil {
		return "", s.Fail("read a policy", "sys/policies/acl/"+name, read, err)
	}
	return text, nil
}

func ensurePolicy(ctx context.Context, s *ownmount.Store, name, text string) (string, error) {
	is, err := policyText(ctx, s, name)
	if err != nil {
		return "", err
	}
	if strings.TrimSpace(is) == strings.TrimSpace(text) {
		return "policy " + name + " is there", nil
	}
	if err := s.API().Sys().PutPolicyWithContext(ctx, name, text); err != nil {
		return "", s.Fail("write a policy", "sys/policies/acl/"+name, write, err)
	}
	return "policy " + name + " written", nil
}

// ensureRole keeps the policies that somebody added to the role.
func ensureRole(ctx context.Context, s *ownmount.Store, name string) (string, error) {
	at := "auth/" + vault.AppRoleMount + "/role/" + name
	is, err := s.API().Logical().ReadWithContext(ctx, at)
	if err != nil {
		return "", s.Fail("read a role", at, read, err)
	}
	policies := []any{name}
	if is != nil {
		had, _ := is.Data["token_policies"].([]any)
		policies = append(policies, slices.DeleteFunc(had, func(p any) bool { return p == any(name) })...)
	}
	_, err = s.API().Logical().WriteWithContext(ctx, at, map[string]any{
		"token_policies":     policies,
		"token_ttl":          "1h",
		"token_max_ttl":      "24h",
		"secret_id_num_uses": 0, // a worker logs in again whenever its token has reached token_max_ttl
	})
	if err != nil {
		return "", s.Fail("write a role", at, write, err)
	}
	return "role " + at + " written", nil
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
