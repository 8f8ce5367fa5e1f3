package inventory

import (
	"fmt"
	"slices"

	"rollcall/config"
	"rollcall/internal/credential"
)

// rank is what has to go before what, whatever the campaign file says: with a login to Vault a
// thief reads each new value as it is left there, and with an account that resets others he
// changes them again.
type rank int

const (
	toVault rank = iota // the device's own ways into Vault
	resets              // accounts that can reset others
	plain
)

// Names of the waves that no file has to name.
const (
	waveLogins = "logins-to-vault"
	waveResets = "may-reset-others"
	waveRest   = "the rest"
	waveOwn    = "Rollcall's own, alone"
)

func (l *line) rank() rank {
	switch {
	case l.ReachesVault():
		return toVault
	case l.resets:
		return resets
	}
	return plain
}

// order puts every line into its wave and names the waves. It does no I/O.
//
// The waves of the file that name logins to Vault are its first ones (config holds it to
// that). Then come the logins that they leave over, the accounts that can reset others, the
// other waves of the file, the rest, and what Rollcall itself works with. A wave of ours that
// nothing is in is not there at all.
func (m *merger) order(own ownIdentities) ([]credential.Wave, error) {
	leading := slices.IndexFunc(m.c.Waves, func(w config.Wave) bool { return !w.OfLogins() })
	if leading < 0 {
		leading = len(m.c.Waves)
	}
	inFile := map[*line]int{}
	ours := func(l *line) bool { place, is := own[l.ID]; return is && place != notByUs }
	for _, l := range m.lines {
		_, l.Own = own[l.ID]
	}
	logins, first := false, false
	for _, l := range m.lines {
		inFile[l] = m.wave(l)
		if ours(l) {
			continue
		}
		logins = logins || l.rank() == toVault && inFile[l] >= leading
		first = first || l.rank() == resets
	}
	if first {
		moved, err := m.resettersFirst(inFile, ours)
		if err != nil {
			return nil, err
		}
		first = moved
	}
	var waves []credential.Wave
	add := func(name string, batch int) int {
		waves = append(waves, credential.Wave{Name: name, Batch: batch})
		return len(waves) - 1
	}
	place := make([]int, len(m.c.Waves)+1) // of the file's waves, and of the rest
	for i := range leading {
		place[i] = add(m.c.Waves[i].Name, m.c.Waves[i].Batch)
	}
	var atLogins, atResets int
	if logins {
		atLogins = add(waveLogins, 0)
	}
	if first {
		atResets = add(waveResets, 0)
	}
	for i := leading; i < len(m.c.Waves); i++ {
		place[i] = add(m.c.Waves[i].Name, m.c.Waves[i].Batch)
	}
	place[len(m.c.Waves)] = add(waveRest, 0)
	behind := len(waves)
	for l, at := range inFile {
		switch {
		case ours(l):
			l.Wave = behind + own[l.ID]
		case logins && l.rank() == toVault && at >= leading:
			l.Wave = atLogins
		case first && l.rank() == resets && at == len(m.c.Waves):
			l.Wave = atResets
		default:
			l.Wave = place[at]
		}
	}
	for _, l := range m.lines {
		for ours(l) && l.Wave >= len(waves) {
			add(waveOwn, 1)
		}
	}
	return waves, nil
}

// resettersFirst holds the file's waves to the order of who can reset whom. What the file
// leaves to the rest gets a wave of its own before it, and moved says that there is one; a
// file that names an account that can reset others no earlier than one that it could reset
// is refused.
func (m *merger) resettersFirst(inFile map[*line]int, ours func(*line) bool) (moved bool, err error) {
	rest := len(m.c.Waves)
	earliest := map[string]int{} // by authority, of accounts that somebody could reset
	for l, at := range inFile {
		if had, ok := earliest[l.Authority]; l.rank() == plain && !ours(l) && l.Problem == "" && (!ok || at < had) {
			earliest[l.Authority] = at
		}
	}
	for l, at := range inFile {
		if l.rank() != resets || ours(l) {
			continue
		}
		if at == rest {
			moved = true
			continue
		}
		if before, ok := earliest[l.Authority]; ok && before <= at {
			return false, &naming{
				fmt.Errorf("waves: %s of %s can reset other accounts, and the file puts it into %s, no earlier than accounts that it could reset (%s): whoever stole it would set their new passwords again; put a wave with such accounts first, or leave it to the order that there is without waves",
					l.Name, l.Authority, m.c.Waves[at].Name, waveAt(m.c, before)),
				fmt.Sprintf("waves: the file puts an account of %s that can reset others no earlier than accounts that it could reset", l.Authority),
			}
		}
	}
	return moved, nil
}

func waveAt(c *config.Campaign, i int) string {
	if i < len(c.Waves) {
		return "wave " + c.Waves[i].Name
	}
	return waveRest
}
