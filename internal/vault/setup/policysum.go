package setup

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"rollcall/internal/vault/ownmount"
)

// A device has policies of its own, with what its campaign file needs, and each
// role has one policy that is the sum of them. Tokens and AppRoles have the
// sum. So `init` for the next device adds to it, and takes nothing from
// a campaign of another one that runs.

// DevicePolicy names what a policy's role needs for one device.
func DevicePolicy(policy, device string) string {
	var b strings.Builder
	for _, c := range []byte(device) {
		if c >= 'A' && c <= 'Z' { // Vault makes names of policies lower case
			fmt.Fprintf(&b, "~%02x", c)
			continue
		}
		b.WriteByte(c)
	}
	return policy + "-" + b.String()
}

const (
	writtenFor = "# Written by rollcall init for device "
	sumOf      = "# The sum of the policies of these devices: "
	keptFrom   = "# From before devices had policies of their own; to be rid of it, delete this policy and run rollcall init for each device:"
)

// ruleLine is a stanza as hcl writes it.
var ruleLine = regexp.MustCompile(`^path ("(?:[^"\\]|\\.)*") \{ capabilities = \["(.*)"\] \}$`)

func parseRules(text string) []rule {
	var out []rule
	for line := range strings.SplitSeq(text, "\n") {
		m := ruleLine.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		if path, err := strconv.Unquote(m[1]); err == nil {
			out = append(out, rule{path, strings.Split(m[2], `", "`)})
		}
	}
	return out
}

// devicesOf reads the policies that `init` has written for devices, by device.
func devicesOf(ctx context.Context, s *ownmount.Store, policy string) (map[string][]rule, error) {
	names, err := s.API().Sys().ListPoliciesWithContext(ctx)
	if err != nil {
		return nil, s.Fail("list policies", "sys/policies/acl", list, err)
	}
	out := map[string][]rule{}
	for _, name := range names {
		if !strings.HasPrefix(name, policy+"-") {
			continue
		}
		text, err := policyText(ctx, s, name)
		if err != nil {
			return nil, err
		}
		for line := range strings.SplitSeq(text, "\n") {
			if device, ok := strings.CutPrefix(line, writtenFor); ok && DevicePolicy(policy, device) == name {
				out[device] = parseRules(text)
			}
		}
	}
	return out, nil
}

// sumText is the policy of a role: what each device's own policy allows, and
// what the policy had before there were such.
func sumText(purpose string, devices map[string][]rule, before string) (text string, kept int) {
	names := slices.Sorted(maps.Keys(devices))
	sum := sumRules(devices)
	old := before
	if strings.Contains(before, sumOf) {
		_, old, _ = strings.Cut(before, keptFrom)
	}
	var left []rule
	for _, r := range parseRules(old) {
		if !grants(sum, r) {
			left = append(left, r)
		}
	}
	text = fmt.Sprintf("# %s\n%s%s\n%s", purpose, sumOf, strings.Join(names, ", "), stanzas(sum))
	if len(left) > 0 {
		// A path must not come twice in a policy: what is there already comes
		// along.
		for i, r := range left {
			left[i].caps = append(left[i].caps, capsOn(sum, r.path)...)
		}
		rest := slices.DeleteFunc(sum, func(r rule) bool { return slices.ContainsFunc(left, func(l rule) bool { return l.path == r.path }) })
		text = fmt.Sprintf("# %s\n%s%s\n%s%s\n%s", purpose, sumOf, strings.Join(names, ", "), stanzas(rest), keptFrom, stanzas(left))
	}
	return text, len(left)
}

// sumRules gives each path what every device's own policy allows there. Of
// several patterns that cover a path Vault goes by the narrowest alone, so one
// device's narrow rule must also give what another's wide one would.
func sumRules(devices map[string][]rule) []rule {
	caps := map[string][]string{}
	for _, rules := range devices {
		for _, r := range rules {
			caps[r.path] = append(caps[r.path], r.caps...)
		}
	}
	for path := range caps {
		for _, rules := range devices {
			if wide := narrowest(rules, path); !slices.Contains(wide.caps, "deny") {
				caps[path] = append(caps[path], wide.caps...)
			}
		}
	}
	var out []rule
	for path, c := range caps {
		out = append(out, rule{path, c})
	}
	return out
}

// narrowest is the rule by which Vault goes for a path or pattern; none is
// empty. Patterns with "+" count for themselves alone.
func narrowest(rules []rule, path string) rule {
	var best rule
	for _, r := range rules {
		folder, wild := strings.CutSuffix(r.path, "*")
		covers := r.path == path || wild && strings.HasPrefix(path, folder)
		if covers && (best.path == "" || r.path == path || best.path != path && len(r.path) > len(best.path)) {
			best = r
		}
	}
	return best
}

func capsOn(rules []rule, path string) []string {
	for _, r := range rules {
		if r.path == path {
			return r.caps
		}
	}
	return nil
}

func grants(rules []rule, want rule) bool {
	has := capsOn(rules, want.path)
	return !slices.ContainsFunc(want.caps, func(c string) bool { return !slices.Contains(has, c) })
}
