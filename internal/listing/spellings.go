package listing

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/inventory"
	"rollcall/internal/paste"
	"rollcall/internal/plural"
)

// otherSpellings are the warnings of doors that may keep old logins by
// spellings of a login name that nobody asks, for accounts of directories: who
// logged in by one of those before the set gets in after it, for all that the
// proof shows. A flush does not answer for it: it is run for a name that was
// seen to be taken. at are the addresses of each door. A person's word that has
// ended by now answers for nothing.
func otherSpellings(spec *config.Campaign, roll *credential.Roll, at map[string][]string, now time.Time) (out []inventory.Warning) {
	takes := map[string]int{}
	for _, c := range roll.Credentials {
		for i, d := range c.Doors {
			if c.OfDirectory() && !slices.ContainsFunc(c.Doors[:i], func(b credential.DoorLogin) bool { return b.Door == d.Door }) {
				takes[d.Door]++
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Doors)) {
		d, n := spec.Doors[name], 0
		for _, is := range doorNames(name, at[name]) {
			n = max(n, takes[is])
		}
		i := slices.IndexFunc(spec.Accept, func(a config.Accept) bool {
			return a.Door == name && a.Finding == credential.FindingOtherSpellings
		})
		doubt := d.OtherSpellings()
		switch {
		case (n == 0 || doubt == "") && i >= 0:
			out = append(out, inventory.Warning{Code: credential.FindingExcludeUnused, Detail: fmt.Sprintf("accept door %s, %s: it is not said of that door: remove it", name, credential.FindingOtherSpellings)})
		case n == 0 || doubt == "":
		case i >= 0 && now.Before(spec.Accept[i].Until):
			out = append(out, inventory.Warning{Code: credential.FindingAccepted, Detail: fmt.Sprintf("door %s: %s, which the campaign file accepts: %s", name, doubt, spec.Accept[i].Reason)})
		default:
			ended := ""
			if i >= 0 && !spec.Accept[i].Until.IsZero() { // a build before this one knew no end
				a := spec.Accept[i]
				ended = fmt.Sprintf("; line %d of the campaign file accepts that until %s, which is over (%s)", a.Line, a.Until.UTC().Format(time.RFC3339), a.Reason)
			}
			out = append(out, inventory.Warning{Code: credential.FindingOtherSpellings, Detail: fmt.Sprintf("door %s (%s): %s%s; say what it is under software, if that keeps none of it (none: it keeps no login at all); who has seen to it says so: %s",
				name, plural.Count(n, "account", "accounts"), doubt, ended, paste.Entry("accept", "door", name, "finding", string(credential.FindingOtherSpellings), "until", now.Add(24*time.Hour).UTC().Truncate(time.Hour).Format(time.RFC3339)))})
		}
	}
	return out
}
