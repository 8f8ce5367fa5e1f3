package setup

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/plural"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// Check is one thing that doctor looked at; What begins with "vault".
type Check = authority.Check

// maxClockSkew is the clock difference above which times in the ledger would
// mislead an investigator.
const maxClockSkew = 5 * time.Second

// Doctor looks at everything about Vault that a campaign needs, before the
// day: way, seal, clock, login and every right of the named policies
// (Roles) on the paths of this campaign. It changes nothing,
// and later checks are left out when an earlier one makes them senseless.
//
// as is one of Roles, of which it is said what its policy would allow, whatever
// the login is; empty for what the login itself is for: the roles whose
// policies it has, or worker and ledger where it has none of them.
func Doctor(ctx context.Context, c *config.Campaign, known []credential.Credential, as string) []Check {
	client, err := vault.Connect(c.Vault.Mount)
	if err != nil {
		return []Check{{What: "vault environment", Detail: err.Error(), Do: "correct the environment variables that the message names"}}
	}
	s := ownmount.On(client, ownmount.Settings{Mount: c.Vault.Mount, Transit: c.Vault.Transit})
	out, serving := checkHealth(ctx, s)
	if !serving {
		return out
	}
	if err := s.ChooseLogin(); err != nil {
		return append(out, Check{What: "vault login", Detail: err.Error(), Do: "log in as the message says"})
	}
	l, err := s.LogIn(ctx)
	if err != nil {
		return append(out, Check{What: "vault login", Detail: err.Error(), Do: "log in afresh; `rollcall init` makes the AppRoles"})
	}
	defer func() { _ = s.Close() }()
	out = append(out, checkLease(l, s.AppRole(), time.Duration(c.Limits.Deadline)))
	out = append(out, OwnMount(ctx, s), Audit(ctx, s, c, known))
	known = WithMounts(ctx, s, c, known)
	policies, rights := rolesOf(ctx, s, c, known, as)
	out = append(out, rights...)
	if slices.Contains(policies, vault.WorkerPolicy) {
		out = append(out, checkAdopt(ctx, s, c)...)
		out = append(out, checkKeeping(ctx, s, c, known)...)
		out = append(out, checkPasswordPolicies(ctx, s, c)...)
	}
	if c.Vault.RotateLogin {
		out = append(out, checkOwnLogin(ctx, s))
	}
	return out
}

// checkOwnLogin looks whether the workers' secret-id can be rotated from here.
func checkOwnLogin(ctx context.Context, s *ownmount.Store) Check {
	const name = "vault own login"
	place := vault.OwnSecretID(s.Mount())
	if s.Role() == "" {
		return Check{What: name, OK: true, NotChecked: true, Detail: "this is no worker's AppRole login: run doctor with one to see whether its secret-id can be rotated"}
	}
	if err := s.Replaceable(); err != nil {
		return Check{What: name, Detail: err.Error(), Do: "let the worker write its secret-id file and the folder of it"}
	}
	if live, err := s.ReadLive(ctx, place, 0); err == nil && s.Uses(live.Value) {
		return Check{What: name, OK: true, Detail: fmt.Sprintf("the secret-id file can be replaced, and Vault holds the same at %s", place)}
	}
	return Check{What: name, OK: true, Detail: fmt.Sprintf("the secret-id file can be replaced; Vault does not hold the one in use at %s, so its end will be proved by what Vault lists, not by a refused login", place)}
}

func checkHealth(ctx context.Context, s *ownmount.Store) (out []Check, serving bool) {
	if os.Getenv(vaultapi.EnvVaultSkipVerify) != "" {
		out = append(out, Check{What: "vault certificate", Detail: "VAULT_SKIP_VERIFY is set, so anybody on the network can pose as Vault",
			Do: "unset it and set VAULT_CACERT"})
	}
	began := time.Now()
	h, err := s.API().Sys().HealthWithContext(ctx)
	took := time.Since(began)
	if err != nil {
		err = s.Fail("check health", "sys/health", read, err)
		return append(out, Check{What: "vault reachable", Detail: err.Error(), Do: "check VAULT_ADDR, VAULT_CACERT and the network"}), false
	}
	out = append(out, Check{What: "vault reachable", OK: true, Detail: fmt.Sprintf("%s, Vault %s, %s", s.Address(), h.Version, took.Round(time.Millisecond))})
	switch {
	case !h.Initialized:
		return append(out, Check{What: "vault unsealed", Detail: "not initialised", Do: "vault operator init"}), false
	case h.Sealed:
		return append(out, Check{What: "vault unsealed", Detail: "sealed", Do: "vault operator unseal"}), false
	}
	out = append(out, Check{What: "vault unsealed", OK: true, Detail: "serving"})

	return append(out, checkClock(began, took, time.Unix(h.ServerTimeUTC, 0))), true
}

// checkClock is for an answer in which Vault told its time, in whole seconds,
// of some moment within the call: a slow one tells less, and one that took too
// long shows neither that the clocks agree nor that they do not.
func checkClock(began time.Time, took time.Duration, told time.Time) Check {
	skew := began.Add(took / 2).Sub(told.Add(500 * time.Millisecond))
	clock := Check{What: "vault clock", OK: (skew.Abs() - took/2).Round(time.Second) <= maxClockSkew, Detail: fmt.Sprintf("differs from this machine's by %s", skew.Abs().Round(time.Second))}
	most := (skew.Abs() + took/2).Round(time.Second)
	switch {
	case !clock.OK:
		clock.Do = "synchronise both clocks (NTP): the ledger's times would not match Vault's"
	case took > maxClockSkew && most > maxClockSkew:
		clock.NotChecked = true
		clock.Detail = fmt.Sprintf("not checked: Vault's answer took %s, so its clock may differ from this machine's by up to %s: run doctor again once Vault answers at once", took.Round(time.Second), most)
	}
	return clock
}

func checkLease(l vault.Lease, appRole bool, deadline time.Duration) Check {
	switch {
	case l.TTL == 0:
		return Check{What: "vault login", OK: true, Detail: "the token does not expire"}
	case appRole:
		return Check{What: "vault login", OK: true, Detail: fmt.Sprintf("AppRole; the token lasts %s and is replaced before it ends", l.TTL)}
	case l.Renewable && l.Most > 0 && l.Most < deadline:
		return Check{What: "vault login", Detail: fmt.Sprintf("the token can be renewed for %s more and not longer; the campaign may take %s", l.Most.Round(time.Second), deadline),
			Do: "use an AppRole (ROLLCALL_ROLE_ID, ROLLCALL_SECRET_ID_FILE) or a token with a longer life (explicit_max_ttl)"}
	case l.Renewable:
		return Check{What: "vault login", OK: true, Detail: fmt.Sprintf("the token lasts %s and is renewed", l.TTL)}
	case l.TTL < deadline:
		return Check{What: "vault login", Detail: fmt.Sprintf("the token ends in %s and cannot be renewed; the campaign may take %s", l.TTL, deadline),
			Do: "use an AppRole (ROLLCALL_ROLE_ID, ROLLCALL_SECRET_ID_FILE) or a renewable token"}
	}
	return Check{What: "vault login", OK: true, Detail: fmt.Sprintf("the token lasts %s", l.TTL)}
}

// RequireRights is Doctor's check of the rights of one policy, for whoever is
// about to begin: after it, no right that the policy has can be found missing
// midway, nor that Rollcall's own mount loses what is written to it. The error
// names the missing capabilities and their paths, but those of single
// credentials only by their mount, because it travels through Temporal. It is
// a *vault.Error if Vault could not be asked.
func RequireRights(ctx context.Context, s *ownmount.Store, policy string, c *config.Campaign, known []credential.Credential) error {
	// What stays open as it is listed is not touched, so its rights hold up
	// nobody.
	known = slices.DeleteFunc(slices.Clone(known), func(c credential.Credential) bool { return c.Problem != "" })
	known = WithMounts(ctx, s, c, known)
	missing, _, err := missingRights(ctx, s, rulesOf(policy, c, known))
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		return requireOwnMount(ctx, s)
	}
	inFile := map[string]bool{}
	for _, r := range rulesOf(policy, c, WithMounts(ctx, s, c, nil)) {
		inFile[example(r.path)] = true
	}
	var text []string
	for _, m := range missing {
		if !inFile[m.path] {
			m.path = vault.PublicPart(m.path)
		}
		if line := m.String(); !slices.Contains(text, line) {
			text = append(text, line)
		}
	}
	return fmt.Errorf("vault %s: the token lacks rights: %s; nothing was changed; %s", s.Address(), strings.Join(text, "; "), GivePolicy(policy))
}

// RequireLedgerRights is RequireRights of the ledger's worker, whose rights
// depend on no campaign but for the question whether people have tasks.
func RequireLedgerRights(ctx context.Context, s *ownmount.Store, tasks bool) error {
	var known []credential.Credential
	if tasks {
		known = []credential.Credential{{Task: &credential.Task{}}}
	}
	return RequireRights(ctx, s, vault.LedgerPolicy, &config.Campaign{Vault: config.Vault{Mount: s.Mount(), Transit: s.Transit()}}, known)
}

// GivePolicy is what to do where a token lacks what a policy gives.
func GivePolicy(policy string) string {
	return fmt.Sprintf("give the token the policy %s; if it has it, run `rollcall init` again with this campaign file, with an administrator's token (`rollcall init --print` shows what it writes)", policy)
}

func checkRights(ctx context.Context, s *ownmount.Store, policy string, rules []rule) []Check {
	missing, paths, err := missingRights(ctx, s, rules)
	if err != nil {
		return []Check{{What: "vault rights", Detail: err.Error(), Do: `give the token the policy "default"`}}
	}
	if len(missing) == 0 {
		return []Check{{What: "vault rights", OK: true, Detail: fmt.Sprintf("all that %s needs, on %s", policy, plural.Count(paths, "path", "paths"))}}
	}
	return []Check{{What: "vault rights", Detail: wordsOfGaps(missing), Do: GivePolicy(policy)}}
}

// gap is what a token lacks on a path.
type gap struct {
	path string
	caps []string
}

func (g gap) words() string { return strings.Join(g.caps, ", ") }

func (g gap) String() string { return g.words() + " is missing on " + g.path }

// gapsOf puts what is missing in order.
func gapsOf(missing map[string][]string) (out []gap) {
	for _, path := range slices.Sorted(maps.Keys(missing)) {
		out = append(out, gap{path, missing[path]})
	}
	return out
}

// wanted are the capabilities that rules give, by a path that each covers.
func wanted(rules []rule) map[string][]string {
	want := map[string][]string{}
	for _, r := range rules {
		if !slices.Contains(r.caps, "deny") && r.path != auditDevices && r.path != entityList { // best, not needed: see Audit
			want[example(r.path)] = append(want[example(r.path)], r.caps...)
		}
	}
	return want
}

// missingRights asks Vault what our token may do on each path of a policy.
func missingRights(ctx context.Context, s *ownmount.Store, rules []rule) (missing []gap, asked int, err error) {
	want := wanted(rules)
	lacking, err := s.Lacking(ctx, want)
	return gapsOf(lacking), len(want), err
}

// example is a path that a policy's pattern covers.
func example(pattern string) string {
	pattern = strings.ReplaceAll(pattern, "/+", "/rollcheck")
	if folder, ok := strings.CutSuffix(pattern, "/*"); ok {
		return folder + "/rollcheck"
	}
	return pattern
}
