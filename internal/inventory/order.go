package inventory

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
)

// rank is what has to go before what, whatever the campaign file says: with a
// login to Vault a thief reads each new value as it is left there, and with an
// account that resets others he changes them again.
type rank int

const (
	toVault rank = iota // the device's own ways into Vault
	resets              // accounts that can reset others
	plain
)

// Names of the waves that no file has to name.
const (
	waveTokens = "tokens-of-vault"
	waveLogins = "logins-to-vault"
	waveResets = "may-reset-others"
	waveNames  = "the same name elsewhere"
	waveRest   = "the rest"
	waveLast   = "what servers replicate by"
	waveOwn    = "Rollcall's own, alone"
)

func (d *draft) rank() rank {
	switch {
	case d.ReachesVault():
		return toVault
	case d.resets:
		return resets
	}
	return plain
}

// order puts every credential into its wave and names the waves. It does no
// I/O.
//
// The waves of the file that name logins to Vault are its first ones (config
// holds it to that), behind tokens of Vault, which have the very first. Then
// come the logins that they leave over, and the other waves of the file with
// the rest behind them. Accounts that can reset others, and that no wave of the
// file names, have waves of their own before these, or right behind the wave of
// whoever can reset them. Behind the rest, whatever the file says, is what
// servers replicate by and a person accepted; last is what Rollcall itself
// works with. A wave of ours that nothing is in is not there at all.
func (m *merger) order(own ownIdentities) ([]credential.Wave, error) {
	leading := slices.IndexFunc(m.c.Waves, func(w config.Wave) bool { return !w.OfLogins() })
	if leading < 0 {
		leading = len(m.c.Waves)
	}
	for _, l := range m.drafts {
		_, l.Own = own[l.ID]
	}
	o := m.spots(own, leading)
	if err := m.resettersFirst(o.ranked, o.at, leading); err != nil {
		return nil, err
	}
	w := m.waves(o, leading)
	for _, l := range m.drafts {
		s, ok := o.at[l]
		switch {
		case own.works(l):
			l.Wave = w.behind + own[l.ID]
		case l.Kind.OnlyEnds():
			l.Wave = 0
		case l.goesLast():
			l.Wave = w.behind - 1
		case !ok:
			l.Wave = w.logins
		default:
			l.Wave = w.place[s]
		}
	}
	for _, l := range m.drafts {
		for own.works(l) && l.Wave >= len(w.list) {
			w.add(waveOwn, 1)
		}
	}
	return w.list, nil
}

// works reports whether it is what Rollcall itself works with and rotates.
func (own ownIdentities) works(l *draft) bool {
	place, is := own[l.ID]
	return is && place != notByUs
}

// placing are drafts by where they go, and which waves of ours somebody is in.
type placing struct {
	at                   map[*draft]spot
	ranked               []*draft // may have to go before others
	tokens, logins, last bool
}

func (m *merger) spots(own ownIdentities, leading int) placing {
	o := placing{at: map[*draft]spot{}}
	for _, l := range m.drafts {
		i := m.wave(l)
		switch {
		case own.works(l):
		case l.Kind.OnlyEnds():
			o.tokens = true
		case l.goesLast():
			o.last = true
		case l.rank() == toVault && i >= leading:
			o.logins = true
		case l.rank() == toVault:
			o.at[l] = named(i)
		default:
			o.at[l] = named(i)
			o.ranked = append(o.ranked, l)
		}
	}
	return o
}

// waves are those of a roll, in their order.
type waves struct {
	list   []credential.Wave
	place  map[spot]int // which wave a spot is
	logins int          // the wave of logins that the file's waves leave over
	behind int          // the first wave behind the rest
}

func (w *waves) add(name string, batch int) int {
	w.list = append(w.list, credential.Wave{Name: name, Batch: batch})
	return len(w.list) - 1
}

func (m *merger) waves(o placing, leading int) waves {
	w := waves{place: map[spot]int{}}
	if o.tokens {
		w.add(waveTokens, 0)
	}
	between := map[spot]bool{} // waves of ours, and whether accounts are in them that can reset others
	for l, s := range o.at {
		if s.between() {
			between[s] = between[s] || l.resets
		}
	}
	made, rest := 0, len(m.c.Waves)
	for i := 0; i <= rest; i++ {
		if i == leading && o.logins {
			w.logins = w.add(waveLogins, 0)
		}
		for _, s := range slices.SortedFunc(maps.Keys(between), spot.compare) {
			if s.before() != i {
				continue
			}
			name := waveNames
			if between[s] {
				name = waveResets
				if made++; made > 1 {
					name = fmt.Sprintf("%s-%d", waveResets, made)
				}
			}
			w.place[s] = w.add(name, 0)
		}
		if i < rest {
			n := w.add(m.c.Waves[i].Name, m.c.Waves[i].Batch)
			w.place[named(i)], w.list[n].Proof = n, m.c.Waves[i].ForProof()
		}
	}
	w.place[named(rest)] = w.add(waveRest, 0)
	if o.last {
		// Without them what is set no longer comes to the other servers.
		w.list[w.add(waveLast, 0)].Alone = true
	}
	w.behind = len(w.list)
	return w
}

// spot is a place in the order: a wave of the file (the rest is one), or a wave
// of ours between two.
type spot struct{ key, level int }

// named is the spot of a wave of the file.
func named(wave int) spot { return spot{2*wave + 1, 0} }

// between reports whether it is a wave of ours, and before gives the wave of
// the file behind it.
func (s spot) between() bool { return s.key%2 == 0 }
func (s spot) before() int {
	if !s.between() {
		return -1
	}
	return s.key / 2
}

func (s spot) compare(o spot) int { return cmp.Or(s.key-o.key, s.level-o.level) }

// next is the first spot of ours behind it.
func (s spot) next() spot {
	if s.between() {
		return spot{s.key, s.level + 1}
	}
	return spot{s.key + 1, 0}
}

// resettersFirst holds the file's waves to the order of who can reset whom, and
// gives accounts that can reset others, where the file leaves them to the rest,
// the first spot behind all that can reset them. A file that names an account
// no later than one that could reset it is refused. Accounts that can reset
// each other, in a circle of any length, are not held to any order among
// themselves: what the file leaves over of them goes together.
func (m *merger) resettersFirst(drafts []*draft, at map[*draft]spot, leading int) error {
	rest := named(len(m.c.Waves))
	slices.SortFunc(drafts, func(a, b *draft) int { return strings.Compare(a.ID, b.ID) })
	g := m.resetGraph(drafts)
	for _, comp := range g.components() { // whoever can reset a component stands before it
		by, after := g.latest(comp)
		first := spot{2 * leading, 0}
		if by != nil {
			first = after.next()
		}
		for _, n := range comp {
			l := g.draft(n)
			if l == nil {
				continue
			}
			// What another account's secret shows of it is destroyed once that
			// one is dead, so it goes before the rest too.
			if (l.resets || len(l.Alike) > 0) && at[l] == rest {
				at[l] = first
			}
			if by != nil && l.Problem == "" && at[l].compare(after) <= 0 {
				return &naming{
					fmt.Errorf("waves: %s of %s can reset other accounts or read what they are set to, and the file puts it into %s, no earlier than accounts that it could reset (%s, %s): whoever stole it would set their new passwords again; put a wave with such accounts first, or leave it to the order that there is without waves",
						by.Name, by.Authority, m.spotName(at[by]), l.Name, m.spotName(at[l])),
					fmt.Sprintf("waves: the file puts an account of %s that can reset others no earlier than accounts that it could reset", by.Authority),
				}
			}
		}
		g.noteLatest(comp, at)
	}
	return nil
}

func (m *merger) spotName(s spot) string {
	if s.between() {
		return "the wave of accounts that can reset others before " + waveAt(m.c, s.before())
	}
	return waveAt(m.c, s.key/2)
}

func waveAt(c *config.Campaign, i int) string {
	if i < len(c.Waves) {
		return "wave " + c.Waves[i].Name
	}
	return waveRest
}
