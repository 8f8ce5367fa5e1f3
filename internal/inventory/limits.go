package inventory

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/paste"
	"rollcall/internal/vault"
	"rollcall/internal/vault/minted"
	"rollcall/internal/vault/ownmount"
)

// maxLimits bounds the secret-ids that are looked at for each role.
const maxLimits = 1000

// secretIDLimits says before the run what a new secret-id cannot take over from
// the old ones, or what will be in the way of proving it
// (docs/protocol.md#approle-secret-ids). It looks by accessor, which spends no
// use; what our token may not look at it leaves out.
func (l *lister) secretIDLimits(ctx context.Context, c *credential.Credential) ([]credential.Finding, error) {
	mount, name, _ := cutRole(c.Subject)
	at := "auth/" + mount + "/role/" + name
	role, err := l.vault.API().Logical().ReadWithContext(ctx, at)
	if vault.Answered(err, http.StatusForbidden) || err == nil && role == nil {
		return nil, nil
	}
	if err != nil {
		return nil, vaultError("read", at, err)
	}
	found, err := l.batchTokens(ctx, c, mount, role.Data)
	if err != nil {
		return nil, err
	}
	list, err := l.vault.API().Logical().ListWithContext(ctx, at+"/secret-id")
	if vault.Answered(err, http.StatusForbidden) {
		return found, nil
	}
	if err != nil {
		return nil, vaultError("list", at+"/secret-id", err)
	}
	var seen []map[string]any
	accessors := keys(list)
	for _, accessor := range accessors[:min(len(accessors), maxLimits)] {
		id, err := l.vault.API().Logical().WriteWithContext(ctx, at+"/secret-id-accessor/lookup", map[string]any{"secret_id_accessor": accessor})
		switch {
		case vault.Answered(err, http.StatusForbidden):
			return found, nil
		case vault.Answered(err, http.StatusNotFound) || err == nil && id == nil:
			continue // ended since it was listed
		case err != nil:
			return nil, vaultError("update", at+"/secret-id-accessor/lookup", err)
		}
		seen = append(seen, id.Data)
	}
	found = append(found, limitsFindings(role.Data, seen)...)
	found = append(found, spentAtDoors(c, append(seen, role.Data))...)
	found = append(found, l.boundToDevice(append([]map[string]any{role.Data}, seen...))...)
	return append(found, l.shared(c, seen, len(accessors))...), nil
}

// shared keeps a role open whose secret-ids are not one consumer's, as it
// shows: two devices with one role have one each, told apart by metadata, by
// the addresses that they are bound to, or by nothing but that there are two,
// and that no thief made them. Which of them Vault's KV holds whoever
// plans may not ask, and it does not matter: all but the new one are destroyed.
func (l *lister) shared(c *credential.Credential, ids []map[string]any, all int) []credential.Finding {
	staged := slices.ContainsFunc(l.past.leftovers, func(left ownmount.Leftover) bool { return left.ID == c.ID })
	if c.Own || staged { // other workers follow by themselves; one that Rollcall made meanwhile is no other's
		return nil
	}
	differ := differences(ids)
	if all > maxLimits {
		differ = append(differ, fmt.Sprintf("more than the first %d, which alone were looked at", maxLimits))
	}
	why := "differ in " + strings.Join(differ, ", ")
	if len(differ) == 0 {
		several := l.unexposed(ids)
		if len(several) < 2 {
			return alike(ids)
		}
		why = fmt.Sprintf("look alike, and %d of them were made when the device was in nobody else's hands (%s)", len(several), strings.Join(several, ", "))
	}
	what := fmt.Sprintf("its %d secret-ids %s, so not all are the device's: with the rotation all but the new one are destroyed and their tokens revoked, and whoever logs in with one of the other %d is cut off", all, why, all-1)
	if slices.Contains(c.Accepted, credential.SharedRole) {
		return []credential.Finding{{Code: credential.FindingSharedRole, Detail: what}}
	}
	if c.Problem == "" {
		c.Problem = credential.SharedRole
	}
	return []credential.Finding{{Code: credential.FindingSharedRole, Detail: fmt.Sprintf("%s. Give each of the others a role of its own; or ask them, and accept it by name (%s)", what, paste.Entry("accept", "account", c.Name, "problem", string(credential.SharedRole)))}}
}

// unexposed says when secret-ids were made that neither a thief made, by when
// that was, nor Rollcall: two of them are two consumers', or one that was
// forgotten.
func (l *lister) unexposed(ids []map[string]any) (made []string) {
	for _, id := range ids {
		text, _ := id["creation_time"].(string)
		at, err := time.Parse(time.RFC3339Nano, text)
		given, _ := id["metadata"].(map[string]any)
		if _, ours := given[tagOfRollcall]; err == nil && !ours && !exposed(l.c.Exposure, at) {
			made = append(made, at.UTC().Format(time.RFC3339))
		}
	}
	slices.Sort(made)
	return made
}

// alike is what is said of secret-ids that do not show whose they are.
func alike(ids []map[string]any) []credential.Finding {
	if len(ids) < 2 {
		return nil
	}
	return []credential.Finding{{Code: credential.FindingExtraSecretIDs, Detail: fmt.Sprintf(
		"it has %d secret-ids: whoever has one logs in as it. With the rotation all but the new one are destroyed; if one is another consumer's, give that one a role of its own first", len(ids))}}
}

// tagOfRollcall is what a rotation adds to the metadata of a secret-id.
const tagOfRollcall = "rollcall"

// differences names what tells secret-ids of a role apart by whose they are.
// Uses and lifetimes do not.
func differences(ids []map[string]any) []string {
	var out []string
	keys := map[string]bool{}
	for _, id := range ids {
		given, _ := id["metadata"].(map[string]any)
		for k := range given {
			keys[k] = k != tagOfRollcall
		}
	}
	differs := func(of func(map[string]any) any) bool {
		return slices.ContainsFunc(ids, func(id map[string]any) bool { return !reflect.DeepEqual(of(id), of(ids[0])) })
	}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if keys[k] && differs(func(id map[string]any) any { m, _ := id["metadata"].(map[string]any); return m[k] }) {
			out = append(out, fmt.Sprintf("metadata %q", k))
		}
	}
	for _, k := range []string{"cidr_list", "token_bound_cidrs"} {
		if differs(func(id map[string]any) any { return texts(id[k]) }) { // sorted
			out = append(out, k)
		}
	}
	return out
}

// batchTokens notes a login that gives tokens which nobody can revoke. What the
// role gave before it was set to something else is not known.
func (l *lister) batchTokens(ctx context.Context, c *credential.Credential, mount string, role map[string]any) ([]credential.Finding, error) {
	at := "sys/internal/ui/mounts/auth/" + mount
	got, err := l.vault.API().Logical().ReadWithContext(ctx, at)
	if err != nil && !vault.Answered(err, http.StatusForbidden) {
		return nil, vaultError("read", at, err)
	}
	own, _ := role["token_type"].(string)
	kind := ""
	if got != nil {
		config, _ := got.Data["config"].(map[string]any)
		kind, _ = config["token_type"].(string)
	}
	if c.Batch = minted.GivesBatch(own, kind); !c.Batch {
		return nil, nil
	}
	return []credential.Finding{{Code: credential.FindingBatchTokens, Detail: "it gives batch tokens, which Vault can neither list nor revoke: what they could read waits (within-reach) until a person accepts this login (rollcall accept-open), for those that somebody has live until they expire. " +
		"Before the run: set token_type service on the role or its mount, and wait for its token_max_ttl"}}, nil
}

// limitsFindings is what is to be said of a role and its secret-ids.
func limitsFindings(role map[string]any, ids []map[string]any) []credential.Finding {
	var said []string
	if bound, is := role["bind_secret_id"].(bool); is && !bound {
		said = append(said, "it asks for no secret-id (bind_secret_id=false), so whoever knows its role-id logs in, and no rotation closes it: it stays open (needs-no-secret), and what it could read waits (within-reach): set bind_secret_id=true on the role, or delete it, before the run")
	} else if addresses := bounds(append([]map[string]any{role}, ids...)); len(addresses) > 0 {
		said = append(said, "bound to the addresses "+strings.Join(addresses, ", ")+": a worker elsewhere cannot log in with it, so it stays open (rights); what it could read cannot be asked either, so all else waits (within-reach) until it is dead or a person accepts it (rollcall accept-open): run where these addresses are, or have the binding lifted before")
	}
	if len(ids) > 1 {
		var differ []string
		for _, key := range []string{"cidr_list", "token_bound_cidrs", "secret_id_num_uses", "secret_id_ttl", "metadata"} {
			for _, id := range ids[1:] {
				if !reflect.DeepEqual(id[key], ids[0][key]) {
					differ = append(differ, key)
					break
				}
			}
		}
		if len(differ) > 0 {
			said = append(said, fmt.Sprintf("its %d secret-ids differ in %s, and one takes the place of all: it gets what the one has that Vault's KV holds; if that holds none, as much as the most that one of them has, without the metadata on which they differ",
				len(ids), strings.Join(differ, ", ")))
		}
	}
	for _, id := range ids {
		if number(role["secret_id_num_uses"]) > 0 && number(id["secret_id_num_uses"]) > number(role["secret_id_num_uses"]) ||
			number(role["secret_id_ttl"]) > 0 && (number(id["secret_id_ttl"]) > number(role["secret_id_ttl"]) || number(id["secret_id_ttl"]) == 0) {
			said = append(said, "a secret-id has more uses, or a longer life, than the role allows by now: a new one gets what the role allows")
			break
		}
	}
	var out []credential.Finding
	for _, s := range said {
		out = append(out, credential.Finding{Code: credential.FindingLimits, Detail: s})
	}
	return out
}

// spentAtDoors says what doors spend of a secret-id whose logins are counted.
func spentAtDoors(c *credential.Credential, data []map[string]any) []credential.Finding {
	counted := func(d map[string]any) bool { return number(d["secret_id_num_uses"]) > 0 }
	if len(c.Doors) == 0 || !slices.ContainsFunc(data, counted) {
		return nil
	}
	return []credential.Finding{{Code: credential.FindingLimits, Detail: fmt.Sprintf(
		"the logins with its secret-id are counted (secret_id_num_uses): a pass spends two of the new one's, or more, at each of its doors (%d), and none is asked where that could leave it none (few-uses): let it have more uses, or take the doors out", len(c.Doors))}}
}

// bounds are the addresses that a role and its secret-ids are bound to.
func bounds(of []map[string]any) []string {
	var out []string
	for _, data := range of {
		for _, key := range []string{"secret_id_bound_cidrs", "token_bound_cidrs", "cidr_list"} {
			out = append(out, texts(data[key])...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func number(v any) int64 {
	n, ok := v.(interface{ Int64() (int64, error) })
	if !ok {
		return 0
	}
	i, _ := n.Int64()
	return i
}
