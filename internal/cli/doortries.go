package cli

import (
	"fmt"
	"maps"
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/report"
	"rollcall/internal/rotation"
)

// doorTries holds what a pass costs an account in refused logins at its doors
// against what locks it, for each authority. locks says after how many that is,
// by credential, where it is known.
func doorTries(roll *credential.Roll, doors map[string]door.Settings, locks map[string]int) (rows []doctorRow) {
	type tries struct{ doors, names, values, looks, locks int }
	most := map[string]tries{}
	for _, c := range roll.Credentials {
		if len(c.Doors) == 0 || len(c.Paths) == 0 || c.Problem != "" {
			continue
		}
		t := most[c.Authority]
		names, looks := 0, 0
		for _, d := range c.Doors {
			n := 1 + len(rotation.Spellings(doors[d.Door], c, d))
			names, looks = names+n, looks+n*rotation.FirstLooks(doors[d.Door], c)
		}
		if looks*len(c.Paths) > t.looks*t.values {
			t.doors, t.names, t.values, t.looks = len(c.Doors), names, len(c.Paths), looks
		}
		if n := locks[c.ID]; n > 0 && (t.locks == 0 || n < t.locks) {
			t.locks = n
		}
		most[c.Authority] = t
	}
	for _, name := range slices.Sorted(maps.Keys(most)) {
		t := most[name]
		row := doctorRow{Where: name, What: "wrong logins at doors", OK: true, Detail: fmt.Sprintf("%s × %s: up to %s for an account in a pass, one at a time, with a good one at each server of %s after each; ",
			report.Plural(t.doors, "door", "doors"), report.Plural(t.values, "stored value", "stored values"), report.Plural(t.looks*t.values, "wrong login", "wrong logins"), name)}
		if t.names > t.doors {
			row.Detail += fmt.Sprintf("names are asked by %d spellings there; ", t.names)
		}
		if t.looks > t.names {
			row.Detail += "a value is offered several times, for there may be several machines behind an address (machines); "
		}
		switch {
		case t.locks == 1:
			row.OK, row.Do = false, "raise the threshold to 3 or more for the time of the campaign, or take the doors out"
			row.Detail += "an account locks at the first one, so doors are not asked and nothing is dead there (near-lock)"
		case t.locks > 0:
			row.Detail += fmt.Sprintf("an account locks after %d in a row", t.locks)
		default:
			row.Detail += "that wrong logins lock an account is not shown"
		}
		if t.locks != 1 {
			row.Detail += ". A door that asks another directory, or a server that the file does not name, counts there, where only its own good logins end the count"
		}
		rows = append(rows, row)
	}
	return rows
}
