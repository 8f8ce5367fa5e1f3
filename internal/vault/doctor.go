package vault

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/config"
	"rollcall/internal/credential"
)

// Check is one thing that doctor looked at. Detail says what was found; Do
// says what to do about it and is empty when OK.
type Check struct {
	Name   string
	OK     bool
	Detail string
	Do     string
	// NotChecked: it could not be looked at. OK is true all the same, because
	// nothing was seen to be wrong.
	NotChecked bool
}

// maxClockSkew is the clock difference above which times in the ledger would
// mislead an investigator.
const maxClockSkew = 5 * time.Second

// Doctor looks at everything about Vault that a campaign needs, before the
// day: way, seal, clock, login and every right of the named policies
// (WorkerPolicy, …) on the paths of this campaign. It changes nothing, and
// later checks are left out when an earlier one makes them senseless.
func Doctor(ctx context.Context, c *config.Campaign, known []credential.Credential, policies ...string) []Check {
	throttled := &atomic.Int64{}
	api, err := connect(throttled)
	if err != nil {
		return []Check{{Name: "vault environment", Detail: err.Error(), Do: "correct the environment variables that the message names"}}
	}
	s := &Store{api: api, mount: c.Vault.Mount, transit: c.Vault.Transit, throttled: throttled}
	out, serving := s.checkHealth(ctx)
	if !serving {
		return out
	}
	who, err := chooseLogin()
	if err != nil {
		return append(out, Check{Name: "vault login", Detail: err.Error(), Do: "log in as the message says"})
	}
	s.login.init(who)
	l, err := s.logIn(ctx)
	if err != nil {
		return append(out, Check{Name: "vault login", Detail: err.Error(), Do: "log in afresh; `rollcall init` makes the AppRoles"})
	}
	if who.appRole() {
		defer func() { _ = api.Auth().Token().RevokeSelfWithContext(context.WithoutCancel(ctx), "") }()
	}
	out = append(out, checkLease(l, who, time.Duration(c.Limits.Deadline)))
	out = append(out, s.OwnMount(ctx), s.Audit(ctx, c, known))
	for _, p := range policies {
		out = append(out, s.checkRights(ctx, p, rulesOf(p, c, known))...)
	}
	if slices.Contains(policies, WorkerPolicy) {
		out = append(out, s.checkKeeping(ctx, c, known)...)
		out = append(out, s.checkPasswordPolicies(ctx, c)...)
	}
	if c.Vault.RotateLogin {
		out = append(out, s.checkOwnLogin(ctx))
	}
	return out
}

// checkOwnLogin looks whether the workers' secret-id can be rotated from here.
func (s *Store) checkOwnLogin(ctx context.Context) Check {
	const name = "vault own login"
	place := OwnSecretID(s.mount)
	if s.Role() == "" {
		return Check{Name: name, OK: true, NotChecked: true, Detail: "this is no worker's AppRole login: run doctor with one to see whether its secret-id can be rotated"}
	}
	if err := s.Replaceable(); err != nil {
		return Check{Name: name, Detail: err.Error(), Do: "let the worker write its secret-id file and the folder of it"}
	}
	_, using := s.login.current()
	if live, err := s.ReadLive(ctx, place, 0); err == nil && live.Value.Equal(using) {
		return Check{Name: name, OK: true, Detail: fmt.Sprintf("the secret-id file can be replaced, and Vault holds the same at %s", place)}
	}
	return Check{Name: name, OK: true, Detail: fmt.Sprintf("the secret-id file can be replaced; Vault does not hold the one in use at %s, so its end will be proved by what Vault lists, not by a refused login", place)}
}

func (s *Store) checkHealth(ctx context.Context) (out []Check, serving bool) {
	if os.Getenv(vaultapi.EnvVaultSkipVerify) != "" {
		out = append(out, Check{Name: "vault certificate", Detail: "VAULT_SKIP_VERIFY is set, so anybody on the network can pose as Vault",
			Do: "unset it and set VAULT_CACERT"})
	}
	began := time.Now()
	h, err := s.api.Sys().HealthWithContext(ctx)
	took := time.Since(began)
	if err != nil {
		err = s.fail("check health", "sys/health", read, err)
		return append(out, Check{Name: "vault reachable", Detail: err.Error(), Do: "check VAULT_ADDR, VAULT_CACERT and the network"}), false
	}
	out = append(out, Check{Name: "vault reachable", OK: true, Detail: fmt.Sprintf("%s, Vault %s, %s", s.api.Address(), h.Version, took.Round(time.Millisecond))})
	switch {
	case !h.Initialized:
		return append(out, Check{Name: "vault unsealed", Detail: "not initialised", Do: "vault operator init"}), false
	case h.Sealed:
		return append(out, Check{Name: "vault unsealed", Detail: "sealed", Do: "vault operator unseal"}), false
	}
	out = append(out, Check{Name: "vault unsealed", OK: true, Detail: "serving"})

	// Vault tells whole seconds, of some moment within the call.
	skew := began.Add(took / 2).Sub(time.Unix(h.ServerTimeUTC, 0).Add(500 * time.Millisecond)).Round(time.Second)
	clock := Check{Name: "vault clock", OK: skew.Abs() <= maxClockSkew, Detail: fmt.Sprintf("differs from this machine's by %s", skew.Abs())}
	if !clock.OK {
		clock.Do = "synchronise both clocks (NTP): the ledger's times would not match Vault's"
	}
	return append(out, clock), true
}

func checkLease(l lease, who identity, deadline time.Duration) Check {
	switch {
	case l.ttl == 0:
		return Check{Name: "vault login", OK: true, Detail: "the token does not expire"}
	case who.appRole():
		return Check{Name: "vault login", OK: true, Detail: fmt.Sprintf("AppRole; the token lasts %s and is replaced before it ends", l.ttl)}
	case l.renewable && l.most > 0 && l.most < deadline:
		return Check{Name: "vault login", Detail: fmt.Sprintf("the token can be renewed for %s more and not longer; the campaign may take %s", l.most.Round(time.Second), deadline),
			Do: "use an AppRole (ROLLCALL_ROLE_ID, ROLLCALL_SECRET_ID_FILE) or a token with a longer life (explicit_max_ttl)"}
	case l.renewable:
		return Check{Name: "vault login", OK: true, Detail: fmt.Sprintf("the token lasts %s and is renewed", l.ttl)}
	case l.ttl < deadline:
		return Check{Name: "vault login", Detail: fmt.Sprintf("the token ends in %s and cannot be renewed; the campaign may take %s", l.ttl, deadline),
			Do: "use an AppRole (ROLLCALL_ROLE_ID, ROLLCALL_SECRET_ID_FILE) or a renewable token"}
	}
	return Check{Name: "vault login", OK: true, Detail: fmt.Sprintf("the token lasts %s", l.ttl)}
}

// RequireRights is Doctor's check of the rights of one policy, for whoever is
// about to begin: after it, no right that the policy has can be found missing
// midway, nor that Rollcall's own mount loses what is written to it. The error
// names the missing capabilities and their paths, but those of single
// credentials only by their mount, because it travels through Temporal. It is
// an *Error if Vault could not be asked.
func (s *Store) RequireRights(ctx context.Context, policy string, c *config.Campaign, known []credential.Credential) error {
	// What stays open as it is listed is not touched, so its rights hold up
	// nobody.
	known = slices.DeleteFunc(slices.Clone(known), func(c credential.Credential) bool { return c.Problem != "" })
	missing, _, err := s.missingRights(ctx, rulesOf(policy, c, known))
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		return s.requireOwnMount(ctx)
	}
	inFile := map[string]bool{}
	for _, r := range rulesOf(policy, c, nil) {
		inFile[example(r.path)] = true
	}
	var text []string
	for _, m := range missing {
		if !inFile[m.path] {
			m.path = publicPart(m.path)
		}
		if line := m.String(); !slices.Contains(text, line) {
			text = append(text, line)
		}
	}
	return fmt.Errorf("vault %s: the token lacks rights: %s; nothing was changed; %s", s.api.Address(), strings.Join(text, "; "), givePolicy(policy))
}

// RequireLedgerRights is RequireRights of the ledger's worker, whose rights
// depend on no campaign.
func (s *Store) RequireLedgerRights(ctx context.Context) error {
	return s.RequireRights(ctx, LedgerPolicy, &config.Campaign{Vault: config.Vault{Mount: s.mount, Transit: s.transit}}, nil)
}

func givePolicy(policy string) string {
	return fmt.Sprintf("give the token the policy %s; if it has it, run `rollcall init` again with this campaign file, with an administrator's token (`rollcall init --print` shows what it writes)", policy)
}

func (s *Store) checkRights(ctx context.Context, policy string, rules []rule) []Check {
	missing, paths, err := s.missingRights(ctx, rules)
	if err != nil {
		return []Check{{Name: "vault rights", Detail: err.Error(), Do: `give the token the policy "default"`}}
	}
	var out []Check
	for _, m := range missing {
		out = append(out, Check{Name: "vault rights", Detail: m.String(), Do: givePolicy(policy)})
	}
	if len(out) == 0 {
		out = []Check{{Name: "vault rights", OK: true, Detail: fmt.Sprintf("all that %s needs, on %d paths", policy, paths)}}
	}
	return out
}

// gap is what a token lacks on a path.
type gap struct {
	path string
	caps []string
}

func (g gap) String() string {
	return fmt.Sprintf("%s is missing on %s", strings.Join(g.caps, ", "), g.path)
}

// missingRights asks Vault what our token may do on each path of a policy.
func (s *Store) missingRights(ctx context.Context, rules []rule) (missing []gap, asked int, err error) {
	const at, chunk = "sys/capabilities-self", 200
	want := map[string][]string{}
	for _, r := range rules {
		if !slices.Contains(r.caps, "deny") && r.path != auditDevices { // best, not needed: see Audit
			want[example(r.path)] = append(want[example(r.path)], r.caps...)
		}
	}
	ask := slices.DeleteFunc(slices.Sorted(maps.Keys(want)), trimmed) // see MayWrite
	for paths := range slices.Chunk(ask, chunk) {
		got, err := s.api.Logical().WriteWithContext(ctx, at, map[string]any{"paths": paths})
		if err != nil {
			return nil, 0, s.fail("ask for our rights", at, update, err)
		}
		for _, path := range paths {
			if caps := lacking(got, path, want[path]); len(caps) > 0 {
				missing = append(missing, gap{path, caps})
			}
		}
	}
	return missing, len(want), nil
}

// example is a path that a policy's pattern covers.
func example(pattern string) string {
	pattern = strings.ReplaceAll(pattern, "/+", "/rollcheck")
	if folder, ok := strings.CutSuffix(pattern, "/*"); ok {
		return folder + "/rollcheck"
	}
	return pattern
}

func lacking(got *vaultapi.Secret, path string, want []string) []string {
	if got == nil {
		return want
	}
	has, _ := got.Data[path].([]any)
	var missing []string
	for _, cap := range want {
		if !slices.Contains(has, any(cap)) && !slices.Contains(has, any("root")) && !slices.Contains(missing, cap) {
			missing = append(missing, cap)
		}
	}
	return missing
}
