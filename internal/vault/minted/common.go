package minted

import (
	"maps"
	"slices"
	"strings"
	"unique"

	"rollcall/internal/vault"
)

// A Vault has tokens by the hundred thousand, and few sorts of them: what they
// have in common is kept once.

func once(v any) string {
	s, _ := v.(string)
	return unique.Make(s).Value()
}

// list is not to be changed.
func (t *Tokens) list(v any) []string {
	all := vault.TextsIn(v)
	if len(all) == 0 {
		return nil
	}
	kept, _ := t.lists.LoadOrStore(strings.Join(all, "\x00"), slices.Clip(all))
	return kept.([]string)
}

// meta is not to be changed.
func (t *Tokens) meta(v any) map[string]string {
	all, _ := v.(map[string]any)
	if len(all) == 0 {
		return nil
	}
	out, key := map[string]string{}, ""
	for _, k := range slices.Sorted(maps.Keys(all)) {
		out[k], _ = all[k].(string)
		key += k + "\x00" + out[k] + "\x00"
	}
	kept, _ := t.metas.LoadOrStore(key, out)
	return kept.(map[string]string)
}
