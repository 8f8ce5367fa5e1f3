package vault

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
)

// versionsKept is how many versions of a secret of ours stay readable. Most
// have one or a few; in campaigns of earlier versions the anchors were versions
// of one secret.
const versionsKept = 1000

// Setup makes what Rollcall needs in Vault: its KV v2 and transit mounts, the
// ledger's key, the policies and an AppRole for each. It needs an
// administrator's token. What exists in the right form stays as it is, so
// it can be run again at any time; done says, one line each, what there is
// and what was made. On an error what was made before it stays.
func (s *Store) Setup(ctx context.Context, c *config.Campaign, known []credential.Credential) (done []string, err error) {
	for _, step := range []func() (string, error){
		func() (string, error) {
			return s.ensureMount(ctx, s.mount, "kv", map[string]string{"version": "2"}, "Rollcall: staged values, rolls, campaigns, checkpoints")
		},
		func() (string, error) { return s.ensureVersions(ctx) },
		func() (string, error) {
			return s.ensureMount(ctx, s.transit, "transit", nil, "Rollcall: the key that signs ledger checkpoints")
		},
		func() (string, error) { return s.ensureKey(ctx) },
		func() (string, error) { return s.ensureAppRoleMount(ctx) },
	} {
		line, err := step()
		if err != nil {
			return done, err
		}
		done = append(done, line)
	}
	running, err := s.runningOf(ctx, c.Device)
	if err != nil {
		return done, err
	}
	places, err := s.EnginePlaces(ctx)
	if err != nil {
		return done, err
	}
	for _, p := range Policies(c, known, places...) {
		for _, step := range []func() (string, error){
			func() (string, error) { return s.ensureDevicePolicy(ctx, p, c.Device, running) },
			func() (string, error) { return s.ensureSum(ctx, p.Name) },
			func() (string, error) { return s.ensureRole(ctx, p.Name) },
		} {
			line, err := step()
			if err != nil {
				return done, err
			}
			done = append(done, line)
		}
	}
	return done, nil
}

// runningOf names a campaign of the device that has not ended, or is empty.
func (s *Store) runningOf(ctx context.Context, device string) (string, error) {
	all, err := s.Campaigns(ctx, device)
	for _, r := range all {
		if r.ClosedAt.IsZero() {
			return r.Campaign, err
		}
	}
	return "", err
}

func (s *Store) ensureMount(ctx context.Context, path, kind string, options map[string]string, why string) (string, error) {
	op := "mount " + path
	mounts, err := s.api.Sys().ListMountsWithContext(ctx)
	if err != nil {
		return "", s.fail("list mounts", "sys/mounts", read, err)
	}
	if m, ok := mounts[path+"/"]; ok {
		if m.Type != kind || m.Options["version"] != options["version"] {
			return "", fmt.Errorf("vault %s: %s/ is a mount of type %s%s; Rollcall needs a %s%s mount of its own: name another in the campaign file (vault.mount, vault.transit)",
				s.api.Address(), path, m.Type, m.Options["version"], kind, options["version"])
		}
		return fmt.Sprintf("mount %s/ (%s) is there", path, kind), nil
	}
	err = s.api.Sys().MountWithContext(ctx, path, &vaultapi.MountInput{Type: kind, Options: options, Description: why})
	if err != nil {
		return "", s.fail(op, "sys/mounts/"+path, update, err)
	}
	return fmt.Sprintf("mount %s/ (%s) made", path, kind), nil
}

// ensureVersions sees to it that the mount keeps what is written: nothing on it
// may delete itself, and check-and-set is ours to ask for. It also waits for a
// new KV mount: Vault answers 400 until it has finished setting up versioning,
// in the background.
func (s *Store) ensureVersions(ctx context.Context) (string, error) {
	const op = "set up versions"
	at := s.mount + "/config"
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		got, err := s.api.Logical().ReadWithContext(ctx, at)
		if err == nil && keeps(got) {
			return fmt.Sprintf("%s/ keeps %d versions", s.mount, versionsKept), nil
		}
		if err == nil {
			if _, err = s.api.Logical().WriteWithContext(ctx, at, map[string]any{
				"max_versions": versionsKept, "delete_version_after": "0s", "cas_required": false,
			}); err == nil {
				return fmt.Sprintf("%s/ set to keep %d versions, without end", s.mount, versionsKept), nil
			}
		}
		err = s.fail(op, at, update, err)
		if !isKind(err, Other) || !wait(ctx, 100*time.Millisecond) {
			return "", err
		}
	}
}

func keeps(config *vaultapi.Secret) bool {
	after, known := deletesAfter(config)
	return known && after == 0 && config.Data["max_versions"] == json.Number(fmt.Sprint(versionsKept)) && config.Data["cas_required"] == false
}

func (s *Store) ensureKey(ctx context.Context) (string, error) {
	const op = "make the ledger's key"
	at := s.transit + "/keys/" + ledgerKey
	got, err := s.api.Logical().ReadWithContext(ctx, at)
	if err != nil {
		return "", s.fail(op, at, read, err)
	}
	if got != nil {
		if exportable, _ := got.Data["exportable"].(bool); exportable || got.Data["type"] != "ed25519" {
			return "", fmt.Errorf("vault %s: the key %s must be ed25519 and not exportable, and it is not: name another transit mount in the campaign file (vault.transit)", s.api.Address(), at)
		}
		return "key " + at + " (ed25519) is there", nil
	}
	// deletion_allowed is false by default, and stays so.
	_, err = s.api.Logical().WriteWithContext(ctx, at, map[string]any{"type": "ed25519", "exportable": false})
	if err != nil {
		return "", s.fail(op, at, write, err)
	}
	return "key " + at + " (ed25519, not exportable) made", nil
}

func (s *Store) ensureAppRoleMount(ctx context.Context) (string, error) {
	methods, err := s.api.Sys().ListAuthWithContext(ctx)
	if err != nil {
		return "", s.fail("list auth methods", "sys/auth", read, err)
	}
	if m, ok := methods[appRoleMount+"/"]; ok {
		if m.Type != "approle" {
			return "", fmt.Errorf("vault %s: auth/%s is of type %s, so Rollcall's roles have no place: move it (`vault auth move`)", s.api.Address(), appRoleMount, m.Type)
		}
		return "auth/" + appRoleMount + " is there", nil
	}
	err = s.api.Sys().EnableAuthWithOptionsWithContext(ctx, appRoleMount, &vaultapi.EnableAuthOptions{Type: "approle"})
	if err != nil {
		return "", s.fail("enable AppRole", "sys/auth/"+appRoleMount, update, err)
	}
	return "auth/" + appRoleMount + " enabled", nil
}

// ensureDevicePolicy writes what a role needs for the device. While a campaign
// of it runs it only adds: that one goes by the file it was started with.
func (s *Store) ensureDevicePolicy(ctx context.Context, p Policy, device, running string) (string, error) {
	name, kept := DevicePolicy(p.Name, device), ""
	if running != "" {
		is, err := s.policyText(ctx, name)
		if err != nil {
			return "", err
		}
		now := parseRules(p.HCL)
		had := slices.DeleteFunc(parseRules(is), func(r rule) bool { return grants(now, r) })
		if len(had) > 0 {
			p.HCL = hcl(purposes[p.Name], device, append(now, had...))
			kept = fmt.Sprintf(", with %d paths that this file does not need and campaign %s may: it runs; run init again after it", len(had), running)
		}
	}
	line, err := s.ensurePolicy(ctx, name, p.HCL)
	return line + kept, err
}

// ensureSum writes the policy that tokens and AppRoles of a role have.
func (s *Store) ensureSum(ctx context.Context, policy string) (string, error) {
	devices, err := s.devicesOf(ctx, policy)
	if err != nil {
		return "", err
	}
	before, err := s.policyText(ctx, policy)
	if err != nil {
		return "", err
	}
	text, kept := sumText(purposes[policy], devices, before)
	line, err := s.ensurePolicy(ctx, policy, text)
	if kept > 0 {
		line += fmt.Sprintf(", with %d paths from before devices had policies of their own", kept)
	}
	return fmt.Sprintf("%s, for %s", line, strings.Join(slices.Sorted(maps.Keys(devices)), ", ")), err
}

func (s *Store) policyText(ctx context.Context, name string) (string, error) {
	text, err := s.api.Sys().GetPolicyWithContext(ctx, name)
	if err != nil {
		return "", s.fail("read a policy", "sys/policies/acl/"+name, read, err)
	}
	return text, nil
}

func (s *Store) ensurePolicy(ctx context.Context, name, text string) (string, error) {
	is, err := s.policyText(ctx, name)
	if err != nil {
		return "", err
	}
	if strings.TrimSpace(is) == strings.TrimSpace(text) {
		return "policy " + name + " is there", nil
	}
	if err := s.api.Sys().PutPolicyWithContext(ctx, name, text); err != nil {
		return "", s.fail("write a policy", "sys/policies/acl/"+name, write, err)
	}
	return "policy " + name + " written", nil
}

// ensureRole keeps the policies that somebody added to the role.
func (s *Store) ensureRole(ctx context.Context, name string) (string, error) {
	at := "auth/" + appRoleMount + "/role/" + name
	is, err := s.api.Logical().ReadWithContext(ctx, at)
	if err != nil {
		return "", s.fail("read a role", at, read, err)
	}
	policies := []any{name}
	if is != nil {
		had, _ := is.Data["token_policies"].([]any)
		policies = append(policies, slices.DeleteFunc(had, func(p any) bool { return p == any(name) })...)
	}
	_, err = s.api.Logical().WriteWithContext(ctx, at, map[string]any{
		"token_policies":     policies,
		"token_ttl":          "1h",
		"token_max_ttl":      "24h",
		"secret_id_num_uses": 0, // a worker logs in again whenever its token has reached token_max_ttl
	})
	if err != nil {
		return "", s.fail("write a role", at, write, err)
	}
	return "role " + at + " written", nil
}
