package inventory

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/profile"
)

// waveFirst is the name of the wave of what is tried before all else.
const waveFirst = "tried first"

// Select returns the indexes of the credentials of a roll that a selection
// takes, in their order. A part that takes nothing is an error, which names
// what there is: nobody believes then that something was looked at.
func Select(roll *credential.Roll, by config.Selection) ([]int, error) {
	wave := -1
	if by.Wave != "" {
		if wave = slices.IndexFunc(roll.Waves, func(w credential.Wave) bool { return w.Name == by.Wave }); wave < 0 {
			wave = numbered(by.Wave, len(roll.Waves))
		}
		if wave < 0 {
			var names []string
			for n, w := range roll.Waves {
				names = append(names, fmt.Sprintf("%d %s", n+1, w.Name))
			}
			return nil, fmt.Errorf("--wave: the roll has no wave %q; it has %s", by.Wave, strings.Join(names, ", "))
		}
	}
	taken := make([]bool, len(by.Only))
	found := by.Source == ""
	var out []int
	for i, c := range roll.Credentials {
		named := len(by.Only) == 0
		for n, pattern := range by.Only {
			if Selects(pattern, c) {
				named, taken[n] = true, true
			}
		}
		ofSource := by.Source == "" || slices.ContainsFunc(c.Reasons, func(r credential.Reason) bool { return r.Source == by.Source })
		found = found || ofSource
		if named && ofSource && (wave < 0 || c.Wave == wave) && (by.Limit == 0 || len(out) < by.Limit) {
			out = append(out, i)
		}
	}
	for n, was := range taken {
		if !was {
			return nil, fmt.Errorf("--only: no credential of the roll is called %q (by its DN or the first value of that, its role, its user, or its place in Vault; * stands for any text)%s: rollcall list shows them", by.Only[n], meant(roll, by.Only[n]))
		}
	}
	if !found {
		return nil, fmt.Errorf("--source: nothing on the roll was found by a source called %q", by.Source)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no credential of the roll is what all of --only, --wave and --source take together")
	}
	return out, nil
}

// numbered is the wave that list shows under a number; -1 for any other text.
func numbered(text string, waves int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > waves || strconv.Itoa(n) != text {
		return -1
	}
	return n - 1
}

// mostMeant are the names that somebody is shown who may have meant one.
const mostMeant = 5

// meant names those of a roll that somebody may have meant who wrote a name
// that nobody has; empty where there is none, and for a pattern.
func meant(roll *credential.Roll, wrote string) string {
	if strings.ContainsAny(wrote, "*?[") {
		return ""
	}
	type like struct {
		name string
		far  int
	}
	var near []like
	for _, c := range roll.Credentials {
		for _, name := range NamesOf(c) {
			if name != "" && likeSegment(wrote, name) {
				near = append(near, like{name, profile.Distance(fold(wrote), fold(name))})
				break
			}
		}
	}
	if len(near) == 0 {
		return ""
	}
	slices.SortStableFunc(near, func(a, b like) int { return a.far - b.far })
	var names []string
	for _, l := range near[:min(mostMeant, len(near))] {
		names = append(names, l.name)
	}
	text := "; like it: " + strings.Join(names, ", ")
	if more := len(near) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// NamesOf are the names that people have for a credential, the shortest first.
func NamesOf(c credential.Credential) []string {
	names := []string{rdnValue(c.Name), c.Name[strings.LastIndex(c.Name, "/")+1:], c.Name}
	for _, p := range c.Paths {
		names = append(names, p.Mount+"/"+p.Path, p.String())
	}
	return names
}

// Selects reports whether a pattern takes one of the names that people have for
// a credential: its DN or the first value of that, its role, its user, its
// places in Vault.
func Selects(pattern string, c credential.Credential) bool {
	return slices.ContainsFunc(NamesOf(c), func(name string) bool {
		ok, err := config.Matches(fold(pattern), fold(name))
		return err == nil && name != "" && ok
	})
}

// First returns the indexes of those that a selection takes and that can be
// tried before all others. What goes last has a reason for it and cannot be
// tried first; what people do, and what is only ended, is no trial. Whoever
// names such a one is told.
func First(roll *credential.Roll, by config.Selection) ([]int, error) {
	picked, err := Select(roll, by)
	if err != nil {
		return nil, err
	}
	first := picked[:0]
	for _, i := range picked {
		c := roll.Credentials[i]
		if roll.Waves[c.Wave].Alone || c.Own || c.Task != nil || c.Kind.OnlyEnds() {
			if len(by.Only) > 0 {
				return nil, fmt.Errorf("%s cannot be tried first: %s", c.Name, notFirst(c))
			}
			continue
		}
		first = append(first, i)
	}
	if len(first) == 0 {
		return nil, fmt.Errorf("nothing of what was to be tried first can be tried: what people do, tokens, what servers replicate by and Rollcall's own logins are not")
	}
	return first, nil
}

// goFirst gives those that a selection takes a wave of their own, before all
// others, behind which the campaign is held.
func goFirst(roll *credential.Roll, by config.Selection) error {
	first, err := First(roll, by)
	if err != nil {
		return fmt.Errorf("%w; nothing was begun", err)
	}
	roll.Waves = append([]credential.Wave{{Name: waveFirst, Hold: true}}, roll.Waves...)
	for i := range roll.Credentials {
		roll.Credentials[i].Wave++
	}
	for _, i := range first {
		roll.Credentials[i].Wave = 0
	}
	slices.SortStableFunc(roll.Credentials, func(a, b credential.Credential) int { return a.Wave - b.Wave })
	return nil
}

func notFirst(c credential.Credential) string {
	switch {
	case c.Task != nil:
		return "a person does it"
	case c.Kind.OnlyEnds():
		return "it is ended, and nothing new is made"
	case c.Own:
		return "Rollcall itself works with it, and it goes last"
	}
	return "servers replicate by it, and it goes last"
}
