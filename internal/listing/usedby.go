package listing

import (
	"fmt"
	"slices"

	"rollcall/config"
	"rollcall/internal/credential"
)

// usedByNothing warns of consumers whose path no credential of the roll has,
// and that no exclude leaves out: nobody tells them of a new value, and the
// path of which they read it may be mistyped.
func usedByNothing(spec *config.Campaign, roll *credential.Roll) (out []credential.Finding) {
	var paths []string
	for _, c := range roll.Credentials {
		for _, p := range c.Paths {
			paths = append(paths, p.Mount+"/"+p.Path)
		}
	}
	for _, x := range roll.Excluded {
		for _, p := range x.Paths {
			paths = append(paths, p.Mount+"/"+p.Path)
		}
	}
	for _, e := range spec.Exclude {
		if p, err := credential.ParsePath(e.Path); err == nil {
			paths = append(paths, p.Mount+"/"+p.Path)
		}
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	for _, u := range spec.UsedBy {
		fits := func(path string) bool { ok, _ := config.Matches(u.Path, path); return ok }
		if slices.ContainsFunc(paths, fits) {
			continue
		}
		w := credential.Finding{Code: credential.FindingExcludeUnused, Detail: fmt.Sprintf("used_by %s: no credential of the roll has such a path: correct it or remove it", u.Path)}
		if u.Reload != nil {
			w = credential.Finding{Code: credential.FindingReloadNothing, Detail: fmt.Sprintf("used_by %s: no credential of the roll has such a path, so its reload runs after no new value, and what reads the right path goes on with the old one: correct it or remove it", u.Path)}
		}
		out = append(out, w)
	}
	return out
}
