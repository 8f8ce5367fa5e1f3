package cli

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"slices"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/opened"
	"rollcall/internal/protocol"
	"rollcall/internal/report"
)

// planDoor is a door, and how many credentials are proved there. Its JSON keys
// are stable.
type planDoor struct {
	Name        string `json:"name"`
	Place       string `json:"place"`
	Credentials int    `json:"credentials"`
	Login       string `json:"login"` // how the name is made
}

func planDoors(cfg *config.Campaign, roll *credential.Roll) (out []planDoor) {
	takes := map[string]int{}
	for _, c := range roll.Credentials {
		for _, d := range c.Doors {
			takes[d.Door]++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Doors)) {
		d := cfg.Doors[name]
		out = append(out, planDoor{name, d.Place(), takes[name], d.Login})
	}
	return out
}

func printDoors(w io.Writer, doors []planDoor, width int) {
	if len(doors) == 0 {
		return
	}
	fmt.Fprintln(w, "\ndoors, at which the old value is proved dead besides:")
	for _, d := range doors {
		line := fmt.Sprintf("%s, %s: %s, as %s", d.Name, d.Place, report.Plural(d.Credentials, "credential", "credentials"), d.Login)
		if d.Credentials == 0 {
			line += "; nothing under for matches anything of the roll"
		}
		fmt.Fprint(w, report.Wrap(report.Clean(line), "  ", width))
	}
}

// checkDoors asks each door of the campaign file what it says of itself, and
// what it answers to a user that cannot exist: one that lets that one in proves
// nothing.
func (s *session) checkDoors(ctx context.Context) (rows []doctorRow) {
	doors := opened.Doors{Read: opened.Reading(s.store.ReadLive)}
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Doors)) {
		settings := s.cfg.Doors[name]
		row := doctorRow{Where: "door " + name, What: settings.Place()}
		d, err := doors.Open(settings)
		if err != nil {
			row.Detail, row.Do = err.Error(), "name a type that this build knows"
			rows = append(rows, row)
			continue
		}
		software, err := d.Software(ctx)
		if err != nil {
			row.Detail, row.Do = err.Error(), "see that it answers from here, and that ca_file and server_name are those of its certificate; until then nothing is dead there (silent-door)"
			rows = append(rows, row)
			continue
		}
		nobody := "rollcall-nobody-" + rand.Text()[:8]
		value := credential.NewSecret(rand.Text())
		if own, has := d.Door.(door.Made); has {
			if value, err = own.Nonsense(); err != nil {
				return append(rows, doctorRow{Where: row.Where, What: row.What, Detail: err.Error(), Do: "run doctor again"})
			}
		}
		row.OK, row.Detail, row.Do = aboutNobody(d.Ask(ctx, settings.LoginOf(nobody, nobody), value).Reply)
		if software != "" {
			row.Detail = report.Clean(software) + ": " + row.Detail
		}
		rows = append(rows, row)
	}
	return rows
}

// aboutNobody judges an answer to a user that cannot exist.
func aboutNobody(a protocol.Reply) (ok bool, detail, do string) {
	switch a {
	case protocol.Refused, protocol.Gone:
		return true, "a user that cannot exist is refused", ""
	case protocol.Accepted, protocol.Guest:
		return false, "a user that cannot exist is let in, so that a login there proves nothing", "close it to guests and unknown users, or take the door out of the campaign file"
	}
	return false, fmt.Sprintf("a user that cannot exist is answered %q, and not refused", a), "see that it takes logins of this type from here, and that what it asks about passwords is up; until then nothing is dead there (silent-door)"
}
