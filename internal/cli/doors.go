package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/flush"
	"rollcall/internal/door/opened"
	"rollcall/internal/listing"
	"rollcall/internal/protocol"
	"rollcall/internal/report"
	"rollcall/internal/vault"
)

// planDoor is a door, and how many credentials are proved there. Its JSON keys
// are stable.
type planDoor struct {
	Name        string `json:"name"`
	Place       string `json:"place"`
	Credentials int    `json:"credentials"`
	Login       string `json:"login"` // how the name is made
	// Of are the names of those credentials.
	Of []string `json:"of"`
	// KeepsUpTo is how long it may go on taking an old value, where the
	// campaign file or the table of software says so.
	KeepsUpTo string        `json:"keeps_up_to,omitempty"`
	Outlives  []planSession `json:"outlives"` // what goes on when the password is dead
	// Spends is what a try costs there, where that may be more than a try.
	Spends string `json:"spends,omitempty"`
	// Spellings says which spellings of a login name are asked there, where it
	// may keep each apart.
	Spellings string `json:"spellings,omitempty"`
	// Looks is how often an old value is offered there in a pass, by each
	// spelling.
	Looks int `json:"looks"`
	// KeptBy is what may keep an old value there, and what ends it.
	KeptBy []planKeeps `json:"kept_by"`
	kept   []string    // the same, in words
	by     string      // who says KeepsUpTo
}

// planKeeps is a software that may go on taking an old value.
type planKeeps struct {
	What string `json:"what"`
	For  string `json:"for"`                       // how long
	Ends string `json:"ends,omitempty"`            // what ends it there
	Good string `json:"good_login_ends,omitempty"` // whether a good login with the new value does
}

// planSession is what a dead password has begun.
type planSession struct {
	What  string `json:"what"`
	Lives string `json:"lives"`
	End   string `json:"end"` // how to end it
}

func planDoors(cfg *config.Campaign, roll *credential.Roll) (out []planDoor) {
	takes := map[string][]string{}
	for _, c := range roll.Credentials {
		for _, d := range c.Doors {
			takes[d.Door] = append(takes[d.Door], c.Name)
		}
	}
	all := listing.AtAddresses(cfg, roll.Doors).Doors
	for _, name := range slices.Sorted(maps.Keys(all)) {
		d := all[name]
		p := planDoor{Name: name, Place: d.Place(), Credentials: len(takes[name]), Login: d.Login, Of: append([]string{}, takes[name]...), Outlives: []planSession{}}
		if keeps := d.Keeping(); keeps > 0 {
			p.KeepsUpTo, p.by = keeps.String(), "as software of its kind is shipped; say which it is (software), or for how long (cache)"
			if d.Cache > 0 {
				p.by = "as the campaign file says"
			} else if k, known := door.Keeper(d.Software); known {
				p.by = k.What
			}
		}
		p.KeptBy = []planKeeps{}
		for _, k := range d.Keepers() {
			p.KeptBy = append(p.KeptBy, planKeeps{k.What, k.For, k.Ends, k.Good})
			p.kept = append(p.kept, k.Words())
		}
		p.Spends, p.Spellings, p.Looks = d.Auth.Spends(), d.SpellingDoubt(), d.Looks()
		for _, o := range door.Outlives(d.Type) {
			end := o.End
			if strings.HasPrefix(d.Path, "/auth/") { // of a Vault
				end = strings.ReplaceAll(end, "auth/MOUNT/", strings.Trim(d.Path, "/")+"/")
			}
			p.Outlives = append(p.Outlives, planSession{o.What, o.Lives, end})
		}
		out = append(out, p)
	}
	return out
}

// mostNamed is how many credentials of a door are named on the screen.
const mostNamed = 8

func printDoors(w io.Writer, doors []planDoor, width int) {
	if len(doors) == 0 {
		return
	}
	fmt.Fprintln(w, "\ndoors, at which the old value is proved dead besides:")
	for _, d := range doors {
		line := fmt.Sprintf("%s, %s: %s, as %s", d.Name, d.Place, report.Plural(d.Credentials, "credential", "credentials"), d.Login)
		if d.Credentials == 0 {
			line += "; nothing of the roll has it"
		}
		fmt.Fprint(w, report.Wrap(report.Clean(line), "  ", width))
		if n := len(d.Of); n > mostNamed {
			fmt.Fprint(w, report.Wrap(report.Clean(fmt.Sprintf("of %s and %d more (-o json has all)", strings.Join(d.Of[:mostNamed], "; "), n-mostNamed)), "    ", width))
		} else if n > 0 {
			fmt.Fprint(w, report.Wrap(report.Clean("of "+strings.Join(d.Of, "; ")), "    ", width))
		}
		if d.Looks > 1 {
			fmt.Fprint(w, report.Wrap(fmt.Sprintf("an old value is offered %d times, to meet each of as many machines that take turns behind its address (machines)", d.Looks), "    ", width))
		}
		if d.KeepsUpTo != "" {
			fmt.Fprint(w, report.Wrap(report.Clean("may take an old value for up to "+d.KeepsUpTo+" ("+d.by+")"), "    ", width))
		}
		for _, kept := range d.kept {
			fmt.Fprint(w, report.Wrap(report.Clean("what ends an old value there: "+kept), "    ", width))
		}
		if d.Spends != "" {
			fmt.Fprint(w, report.Wrap(report.Clean(d.Spends), "    ", width))
		}
		if d.Spellings != "" {
			fmt.Fprint(w, report.Wrap(report.Clean(d.Spellings), "    ", width))
		}
		for _, o := range d.Outlives {
			fmt.Fprint(w, report.Wrap(report.Clean(fmt.Sprintf("goes on when the password is dead: %s, %s; to end it: %s", o.What, o.Lives, o.End)), "    ", width))
		}
	}
}

// doorsAtOnce bounds how many doors doctor asks side by side: each may take a
// minute.
const doorsAtOnce = 8

// checkDoors asks each door of the campaign file, at each of its addresses,
// what it says of itself, and what it answers to a user that cannot exist: one
// that lets that one in proves nothing. One at an address of a device that was
// in foreign hands is not asked. taken are the hosts of those; nil: nobody
// could list them, so that no door is asked.
func (s *session) checkDoors(ctx context.Context, taken *credential.Containment) []doctorRow {
	doors := s.doors()
	found, _ := listing.FindDoors(ctx, s.cfg)
	all := listing.AtAddresses(s.cfg, found).Doors
	names := slices.Sorted(maps.Keys(all))
	rows := make([]doctorRow, len(names))
	var g errgroup.Group
	g.SetLimit(doorsAtOnce)
	for i, name := range names {
		g.Go(func() error {
			rows[i] = checkDoor(ctx, doors, name, all[name], taken)
			return nil
		})
	}
	_ = g.Wait()
	return append(rows, checkFlush(s.cfg.Doors)...)
}

// checkDoor asks one door.
func checkDoor(ctx context.Context, doors *opened.Doors, name string, settings door.Settings, taken *credential.Containment) doctorRow {
	row := doctorRow{Where: "door " + name, What: settings.Place()}
	if taken == nil {
		row.OK, row.NotChecked, row.Detail = true, true, "it was not asked, because the roll could not be listed, which says where devices are that were in foreign hands: mend that first"
		return row
	}
	if err := listing.Dialled(settings, taken.Taken()); err != nil {
		row.Detail, row.Do = notDialled(err)
		return row
	}
	d, err := doors.Open(settings)
	if err != nil {
		row.Detail, row.Do = err.Error(), "name a type that this build knows"
		return row
	}
	if why := unread(ctx, doors, settings); why != "" {
		row.Detail, row.Do = why, "correct secret in the campaign file (mount/path#field), write it there, or let this token and the worker's role read it; until then nothing is dead there (silent-door)"
		return row
	}
	software, err := d.Software(ctx)
	if err != nil {
		fault, why, do := settings.Unfit(faultOf(err))
		if row.Detail, row.Do = why, do; fault == "" {
			row.Detail, row.Do = err.Error(), "see that it answers from here"+spoken[settings.TLS]+"; until then nothing is dead there (silent-door)"
		}
		return row
	}
	said, err := listing.AskNobody(ctx, d, settings)
	if err != nil {
		row.Detail, row.Do = err.Error(), "run doctor again"
		return row
	}
	row.OK, row.Detail, row.Do = aboutNobody(settings, said)
	if !row.OK && said.Code != "" && said.Fault == "" {
		row.Detail += "; it said: " + report.Clean(said.Code)
	}
	for _, doubt := range []string{door.Types[settings.Type].Doubt, said.Doubt, settings.SpellingDoubt()} {
		if row.OK && doubt != "" {
			row.Detail += "; " + doubt
		}
	}
	if software != "" {
		row.Detail = report.Clean(software) + ": " + row.Detail
	}
	return row
}

// takenBy is where devices are, or were, that were in foreign hands, as the
// roll has it; nil without a roll.
func takenBy(roll *credential.Roll) *credential.Containment {
	switch {
	case roll == nil:
		return nil
	case roll.Containment == nil:
		return &credential.Containment{}
	}
	return roll.Containment
}

// spoken is what a type takes for granted of its door: where that is not so,
// each side waits for the other to begin.
var spoken = map[door.TLS]string{
	door.Implicit:  ", that it has TLS from the first byte on (a type such as imap, and not imaps, begins it by a command), and that ca_file and server_name are those of its certificate",
	door.StartTLS:  ", that it begins TLS by a command (a type such as imaps, and not imap, has it from the first byte on), and that ca_file and server_name are those of its certificate",
	door.ClearText: ", and that it speaks clear text",
	door.Itself:    ", and that type and port are its own",
}

// notDialled words why doctor does not ask a door.
func notDialled(err error) (detail, do string) {
	var stop *protocol.Stop
	if errors.As(err, &stop) && stop.Reason == protocol.ReasonPointsAtDevice {
		return "an address of a device that was in foreign hands (containment.addresses, its name in DNS, or another device's campaign): what answers there may be the thief's, and would be shown each new value; it was not asked", "give the door the address of the machine that does its work by now"
	}
	return "its name has no address now", "correct its address, or take the door out of the campaign file; until then nothing is dead there (silent-door)"
}

// unread is why what a door is asked with besides the value cannot be read.
func unread(ctx context.Context, doors *opened.Doors, settings door.Settings) string {
	if settings.Secret == (credential.Path{}) {
		return ""
	}
	value, err := doors.Read(ctx, settings.Secret)
	var v *vault.Error
	switch {
	case vault.IsNotFound(err):
		return fmt.Sprintf("secret: nothing is at %s in Vault", settings.Secret)
	case errors.As(err, &v):
		return fmt.Sprintf("secret: %s cannot be read: %s", settings.Secret, v.Stop().Detail)
	case err != nil:
		return fmt.Sprintf("secret: %s cannot be read: %v", settings.Secret, err)
	case value.IsZero():
		return fmt.Sprintf("secret: %s is empty", settings.Secret)
	}
	return ""
}

// checkFlush looks whether the program that ends what doors keep may be run on
// this machine, which is the worker's where run is started here.
func checkFlush(doors map[string]door.Settings) (rows []doctorRow) {
	for _, name := range slices.Sorted(maps.Keys(doors)) {
		f := doors[name].Flush
		if f == nil || len(f.Command) == 0 {
			continue
		}
		row := doctorRow{Where: "door " + name, What: "flush", Detail: f.Command[0] + " may be run here; a worker on another machine has its own"}
		why := flush.NotHere(*f)
		if row.OK = why == ""; !row.OK {
			row.Detail = f.Command[0] + " would not be run here: " + why
			row.Do = "put it there on each machine that has a worker (docs/doors.md); until then what this door keeps is not ended (flush-failed)"
		}
		rows = append(rows, row)
	}
	return rows
}

// faultOf is what an error shows of a door.
func faultOf(err error) door.Said {
	said, _ := errors.AsType[door.Trouble](err)
	return said.Said()
}

// aboutNobody judges an answer to a user that cannot exist.
func aboutNobody(settings door.Settings, said door.Said) (ok bool, detail, do string) {
	if fault, why, do := settings.Unfit(said); fault != "" {
		return false, why, do
	}
	switch said.Reply {
	case protocol.Refused, protocol.Gone:
		return true, "a user that cannot exist is refused", ""
	case protocol.Guest:
		return true, door.Types[settings.Type].Guests, ""
	}
	return false, fmt.Sprintf("a user that cannot exist is answered %q, and not refused", said.Reply), "see that it takes logins of this type from here, and that what it asks about passwords is up; until then nothing is dead there (silent-door)"
}

// doors opens those of the campaign file.
func (s *session) doors() *opened.Doors {
	return &opened.Doors{Read: opened.Reading(s.store.ReadLive)}
}

// checkMatches tells matches of doors that take nothing of the roll.
func checkMatches(roll *credential.Roll) (rows []doctorRow) {
	for _, w := range roll.Warnings {
		if w.Code == credential.FindingDoorUnmatched {
			rows = append(rows, doctorRow{Where: "doors", What: "for", Detail: report.Clean(w.Detail), Do: "correct it in the campaign file: a door that nothing matches is never asked"})
		}
	}
	return rows
}
