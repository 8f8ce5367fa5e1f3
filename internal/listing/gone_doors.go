package listing

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/vault/ownmount"
)

// Several devices' files have one door, each for accounts of its own, and what
// the one had offered there the next one may leave out. So whose a door was is
// added up over the campaigns, and never taken back: a file that leaves one of
// those out has to say why.

// isOpened is isAsked for doors: one whose name has no address now is not
// asked, so the machine that had the name before is no more asked than it. Nor
// is a page asked because another one of its server is.
func isOpened(door string, now []string) bool {
	_, address := placeOfServer(door)
	page := pageOf(door)
	return isAsked(door, slices.DeleteFunc(slices.Clone(now), func(d string) bool {
		host, at := placeOfServer(d)
		return address != "" && at == "" && host != address || page != "" && page != pageOf(d)
	}))
}

// pageOf is what of a place is asked (door.Settings.Entrance); empty where
// nothing says it, as earlier versions did not.
func pageOf(door string) string {
	text, _ := config.SplitServer(door)
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	_, page, _ := strings.Cut(text, u.Host)
	return page
}

// doorsFor says of doors of a file whose they are: door.Match as JSON. One that
// rows name is not there.
func doorsFor(spec *config.Campaign, doors []string) (out map[string]string) {
	whose, rows := map[string][]door.Match{}, map[string]bool{}
	for _, d := range spec.Doors {
		at := d.Entrance()
		whose[at] = append(whose[at], d.For...)
		rows[at] = rows[at] || len(d.For) == 0
	}
	for _, at := range doors {
		if !rows[at] {
			out = with(out, at, written(whose[at]))
		}
	}
	return out
}

// everFor is doorsFor with all whose the doors of now were in campaigns before.
func everFor(was, now ownmount.NamedDirectory) (out map[string]string) {
	for _, at := range now.Doors {
		whose := now.DoorsFor[at]
		for _, before := range openedAgain(was, ownmount.NamedDirectory{Doors: []string{at}}) {
			whose = bothFor(whose, before.For)
		}
		out = with(out, at, whose)
	}
	return out
}

func with(all map[string]string, at, whose string) map[string]string {
	if whose == "" {
		return all
	}
	if all == nil {
		all = map[string]string{}
	}
	all[at] = whose
	return all
}

// bothFor is whose a door is that was these and those; empty, which is anybody
// that a row could name, where either is.
func bothFor(these, those string) string {
	some, known := matches(these)
	others, too := matches(those)
	if !known || !too {
		return ""
	}
	return written(append(some, others...))
}

// matches reads DoorsFor; false where the door may be anybody's.
func matches(whose string) (out []door.Match, known bool) {
	err := json.Unmarshal([]byte(whose), &out)
	return out, err == nil && len(out) > 0
}

func written(all []door.Match) string {
	slices.SortFunc(all, func(a, b door.Match) int { return strings.Compare(a.String(), b.String()) })
	text, err := json.Marshal(slices.Compact(all))
	if err != nil {
		return ""
	}
	return string(text)
}

// openedAgain are the doors of campaigns before that those of now are.
func openedAgain(was, now ownmount.NamedDirectory) (out []ownmount.GoneServer) {
	all := slices.Clone(was.Gone)
	for _, d := range was.Doors {
		all = append(all, ownmount.GoneServer{Server: d, Campaign: was.Campaign, Device: was.Device, For: was.DoorsFor[d]})
	}
	for _, d := range all {
		if isOpened(d.Server, now.Doors) {
			d.OthersAlone = true
			out = append(out, d)
		}
	}
	return out
}

// theirs leaves those away that were doors of other accounts than a roll has:
// another device's campaign may say of one whose it is (for:), and what is
// stolen now was never offered there.
func theirs(all []ownmount.GoneServer, roll *credential.Roll) []ownmount.GoneServer {
	return slices.DeleteFunc(all, func(g ownmount.GoneServer) bool {
		of, known := matches(g.For)
		if !known {
			return false
		}
		for i := range of {
			// Lines are of that device's own profile, and ends of its tasks.
			of[i].Line, of[i].End = "", ""
		}
		return !slices.ContainsFunc(roll.Credentials, func(c credential.Credential) bool { return takenBy(of, c) })
	})
}

func takenBy(of []door.Match, c credential.Credential) bool {
	matches := func(pattern, name string) bool { ok, _ := config.Matches(pattern, name); return ok }
	return slices.ContainsFunc(of, func(m door.Match) bool { return m.Takes(c, c.Short, matches) })
}

// forOthers leaves those doors that a roll has credentials for which they were,
// and which spec does not ask there. What a line of another device's profile
// or an end of its task took is not known here.
func forOthers(spec *config.Campaign, all []ownmount.GoneServer, roll *credential.Roll) []ownmount.GoneServer {
	return slices.DeleteFunc(all, func(g ownmount.GoneServer) bool {
		of, _ := matches(g.For)
		of = slices.DeleteFunc(of, func(m door.Match) bool { return m.Line != "" || m.End != "" })
		now := map[string]bool{}
		var whose []door.Match
		for name, d := range spec.Doors {
			if isOpened(g.Server, []string{d.Entrance()}) {
				now[name], whose = true, append(whose, d.For...)
			}
		}
		return !slices.ContainsFunc(roll.Credentials, func(c credential.Credential) bool {
			return takenBy(of, c) && !takenBy(whose, c) &&
				!slices.ContainsFunc(c.Doors, func(at credential.DoorLogin) bool { return now[at.Door] })
		})
	})
}
