package listing

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/opened"
	"rollcall/internal/plural"
	"rollcall/internal/protocol"
)

// A door that is not what the campaign file says keeps a campaign from
// beginning: another host key or certificate may be somebody in between, and
// one that lets in a user that cannot exist proves nothing. Each door of the
// roll is asked once, about nobody, before anything is set.

// doorPatience is how long a door is waited for when a roll is listed. One that
// takes longer is as one that is silent, and holds no campaign up.
const doorPatience = 20 * time.Second

// doorsAtOnce bounds how many doors are asked side by side.
const doorsAtOnce = 16

// AskNobody asks a door about a user that cannot exist, with a value that
// nobody has. A login name that is made of no account's, as a role's id, is a
// real one, which a wrong value could lock: it is not shown.
func AskNobody(ctx context.Context, d *opened.Door, settings door.Settings) (door.Said, error) {
	value := credential.NewSecret(rand.Text())
	if own, has := d.Door.(door.Made); has {
		var err error
		if value, err = own.Nonsense(); err != nil {
			return door.Said{}, err
		}
	}
	nobody := "rollcall-nobody-" + rand.Text()[:8]
	// A directory takes no name that is no DN, and says nothing of it.
	login := settings.LoginOf(nobody, "cn="+nobody)
	if login != "" && login == settings.Login {
		login = nobody
	}
	return d.Ask(ctx, login, value), nil
}

// asking begins to ask the doors of a roll, beside the rest of the listing, and
// gives what waits for what is wrong with them. A listing that is tried again
// asks only those that gave no answer; once is the campaign that begins by it,
// "" where one lists again, and whoever mended a door is believed by a look.
func asking(ctx context.Context, doors *opened.Doors, spec *config.Campaign, roll *credential.Roll, contained func() *credential.Containment, once string) func() []credential.UnfitDoor {
	if doors == nil || len(spec.Doors) == 0 {
		return func() []credential.UnfitDoor { return nil }
	}
	used, at, others := doorsUsed(roll), roll.Doors, roll.Containment.Others
	wait := sync.OnceValue(func() []credential.UnfitDoor {
		taken := credential.Containment{Others: others}
		return unfitDoors(ctx, doors, spec, at, used, slices.Concat(contained().Hosts(), taken.Taken()), once)
	})
	go wait()
	return wait
}

func doorsUsed(roll *credential.Roll) map[string]bool {
	used := map[string]bool{}
	for _, c := range roll.Credentials {
		for _, d := range c.Doors {
			used[d.Door] = true
		}
	}
	return used
}

// unfitDoors asks the doors of a roll side by side. What is at a compromised
// device is not asked, nor what this build cannot open: either is told
// elsewhere.
func unfitDoors(ctx context.Context, doors *opened.Doors, spec *config.Campaign, at map[string][]string, used map[string]bool, taken []string, once string) []credential.UnfitDoor {
	all := AtAddresses(spec, at).Doors
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(all)), func(name string) bool { return !used[name] || Dialled(all[name], taken) != nil })
	found := make([]*credential.UnfitDoor, len(names))
	var g errgroup.Group
	g.SetLimit(doorsAtOnce)
	for i, name := range names {
		g.Go(func() error {
			found[i] = unfit(ctx, doors, name, all[name], once)
			return nil
		})
	}
	_ = g.Wait()
	var out []credential.UnfitDoor
	for _, u := range found {
		if u != nil {
			u.Line = lineOf(spec, u.Door)
			if o := spec.UnfitDoors; o != nil {
				u.Override, u.OverrideBy = o.Reason, o.By
			}
			out = append(out, *u)
		}
	}
	return out
}

func unfit(ctx context.Context, doors *opened.Doors, name string, settings door.Settings, once string) *credential.UnfitDoor {
	d, err := doors.Open(settings)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, min(settings.Timeout, doorPatience))
	defer cancel()
	said, err := d.Once(once, func() (door.Said, error) { return AskNobody(ctx, d, settings) })
	if err != nil {
		return nil
	}
	fault, why, do := settings.Unfit(said)
	if fault == "" {
		return nil
	}
	return &credential.UnfitDoor{Door: name, Place: settings.Place(), Fault: string(fault), Why: why, Do: do}
}

// lineOf is the line of the campaign file on which a door begins, by its name
// or that of one of its addresses.
func lineOf(spec *config.Campaign, name string) int {
	name, _, _ = strings.Cut(name, "@")
	return spec.DoorLines[name]
}

// unfitWarnings tell them.
func unfitWarnings(all []credential.UnfitDoor) (out []credential.Finding) {
	for _, u := range all {
		detail := u.Text()
		if u.Override != "" {
			detail += fmt.Sprintf("; %s went on all the same: %s", u.OverrideBy, u.Override)
		}
		out = append(out, credential.Finding{Code: credential.FindingUnfitDoor, Detail: detail})
	}
	return out
}

// UnfitDoors keep a campaign from starting. The text names doors, and no
// account.
type UnfitDoors struct{ Doors []credential.UnfitDoor }

func (u *UnfitDoors) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s of the campaign file %s not as it says, so that nothing can be proved there:", plural.Count(len(u.Doors), "door", "doors"), plural.Pick(len(u.Doors), "is", "are"))
	for _, d := range u.Doors {
		b.WriteString("\n" + d.Text())
	}
	b.WriteString("\nmend that, take the door out of the campaign file, or go on with `rollcall run --unfit-doors \"reason\"`: such a door is not asked then, and what it takes stays open")
	return b.String()
}

// RequireDoors is *UnfitDoors if doors of a roll are not what the campaign file
// says, unless a person goes on all the same.
func RequireDoors(spec *config.Campaign, roll *credential.Roll) error {
	if len(roll.Unfit) == 0 || spec.UnfitDoors != nil {
		return nil
	}
	return &UnfitDoors{roll.Unfit}
}

// AsUnfitDoors finds it in an error.
func AsUnfitDoors(err error) *UnfitDoors {
	u, _ := errors.AsType[*UnfitDoors](err)
	return u
}

// Shut is spec, whose doors are at their addresses, with what was wrong with
// some when the roll was listed: they are not asked.
func Shut(spec *config.Campaign, unfit []credential.UnfitDoor) *config.Campaign {
	if len(unfit) == 0 {
		return spec
	}
	whole := *spec
	whole.Doors = maps.Clone(spec.Doors)
	for _, u := range unfit {
		d, has := whole.Doors[u.Door]
		if !has {
			continue
		}
		reason := protocol.ReasonDoorSilent
		if u.Fault == string(door.LetsIn) {
			reason = protocol.ReasonDoorGuest
		}
		d.Shut = &protocol.Stop{Reason: reason, Detail: fmt.Sprintf("this door was not asked, because when the roll was listed %s, and a person went on all the same: %s", u.Why, u.Do)}
		whole.Doors[u.Door] = d
	}
	return &whole
}
