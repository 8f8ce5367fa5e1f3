package timeline

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
	"pgregory.net/rapid"
)

var noon = time.Date(2022, 10, 10, 12, 0, 0, 0, time.UTC)

func zones(t *rapid.T) *time.Location {
	name := rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia", "Australia/Lord_Howe"}).Draw(t, "zone")
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func drawSpans(t *rapid.T, most int, label string) []Span {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Span {
		from := noon.Add(time.Duration(rapid.Int64Range(-3*365*24*3600, 3*365*24*3600).Draw(t, "at")) * time.Second)
		return Span{from, from.Add(time.Duration(rapid.Int64Range(0, 30*24*3600).Draw(t, "long")) * time.Second)}
	}), 1, most).Draw(t, label)
}

func drawEvents(t *rapid.T) (out []Event) {
	for _, s := range drawSpans(t, 200, "events") {
		out = append(out, Event{Span: s, Count: rapid.IntRange(1, 1000).Draw(t, "count"), Shape: Used, Weight: rapid.IntRange(Hollow, Full).Draw(t, "weight"),
			Words: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "words")})
	}
	return out
}

func TestWhatMattersLiesWholeOnTheAxisAndItsTicksAreInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := zones(t)
		core, others := drawSpans(t, 5, "core"), drawSpans(t, 20, "others")
		a := NewAxis(core, slices.Values(others), zone, time.Hour)
		if a.To.Sub(a.From) < time.Hour {
			t.Fatalf("%s", a.To.Sub(a.From))
		}
		for _, s := range core {
			if s.From.Before(a.From) || s.To.After(a.To) {
				t.Fatalf("%v is not on %v to %v", s, a.From, a.To)
			}
		}
		for _, s := range append(core, others...) {
			if x, end := a.X(s.From), a.X(s.To); x < 0 || end > 1 || end < x {
				t.Fatalf("%v is at %f to %f", s, x, end)
			}
		}
		before := a.From
		for i, tick := range a.Ticks {
			if tick.At.Before(before) || i > 0 && !tick.At.After(before) || tick.At.After(a.To) || tick.Text == "" {
				t.Fatalf("tick %d: %v behind %v on %v to %v", i, tick, before, a.From, a.To)
			}
			before = tick.At
		}
		if len(a.Ticks) == 0 || len(a.Ticks) > mostTicks+2 {
			t.Fatalf("%d ticks on %v to %v", len(a.Ticks), a.From, a.To)
		}
	})
}

func TestMarksAreInOrderAndApartAndNoneIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := NewAxis(drawSpans(t, 3, "core"), nil, time.UTC, time.Hour)
		events := drawEvents(t)
		given, words := 0, map[string]int{}
		for _, e := range events {
			given += e.Count
			words[e.Words] += e.Count
		}
		thin := a.Thin(slices.Values(events))
		for name, marks := range map[string][]Mark{"marks": a.Marks(events), "bars": a.Bars(events), "columns": a.Columns(events), "marks of few": a.Marks(thin), "bars of few": a.Bars(thin)} {
			drawn, parts := 0, map[string]int{}
			for i, m := range marks {
				drawn += m.Count
				for _, p := range m.Parts {
					parts[p.Words] += p.Count
				}
				if m.X < 0 || m.End > 1 || m.End < m.X || m.To.Before(m.From) {
					t.Fatalf("%s: %+v", name, m)
				}
				if i > 0 && (m.From.Before(marks[i-1].From) || m.X <= marks[i-1].X) {
					t.Fatalf("%s: %+v behind %+v", name, m, marks[i-1])
				}
				if i > 0 && strings.HasPrefix(name, "marks") && m.X < marks[i-1].X+least {
					t.Fatalf("%f is too near %f", m.X, marks[i-1].X)
				}
			}
			if drawn != given || fmt.Sprint(parts) != fmt.Sprint(words) {
				t.Fatalf("%s: %d of %d, %v of %v", name, drawn, given, parts, words)
			}
		}
		if len(a.Marks(events)) > 33 {
			t.Fatal("more marks than have room")
		}
	})
}

func TestDatesOnTheAxisFitItsLength(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	for _, row := range []struct {
		long time.Duration
		want string
	}{
		{time.Hour, "14:00/10 Oct 2022 14:10 14:20 14:30 14:40 14:50 15:00"},
		{24 * time.Hour, "15:00/10 Oct 2022 18:00 21:00 00:00/11 Oct 2022 03:00 06:00 09:00 12:00"},
		{7 * 24 * time.Hour, "11 Oct/2022 12 Oct 13 Oct 14 Oct 15 Oct 16 Oct 17 Oct"},
		{60 * 24 * time.Hour, "10 Oct/2022 17 Oct 24 Oct 31 Oct 7 Nov 14 Nov 21 Nov 28 Nov 5 Dec"},
		{365 * 24 * time.Hour, "Nov/2022 Jan/2023 Mar May Jul Sep"},
		{4 * 365 * 24 * time.Hour, "Jan/2023 Jul Jan/2024 Jul Jan/2025 Jul Jan/2026 Jul"},
		{20 * 365 * 24 * time.Hour, "2025 2030 2035 2040"},
	} {
		a := NewAxis([]Span{{noon, noon.Add(row.long)}}, nil, berlin, time.Hour)
		var got []string
		for _, tick := range a.Ticks {
			text := tick.Text
			if tick.Date != "" {
				text += "/" + tick.Date
			}
			got = append(got, text)
		}
		require.Equal(t, row.want, strings.Join(got, " "), row.long)
	}
}

// A log with one line of 1970 must not make a month of exposure a hair.
func TestOneLineWithAWrongYearDoesNotMakeAllElseSmall(t *testing.T) {
	core := []Span{{noon, noon.Add(60 * 24 * time.Hour)}}
	wrong := Span{time.Unix(0, 0), time.Unix(0, 0)}
	a := NewAxis(core, slices.Values([]Span{wrong, {core[0].From.Add(-10 * 24 * time.Hour), core[0].From}}), time.UTC, time.Hour)
	require.Greater(t, a.X(core[0].To)-a.X(core[0].From), 0.8)
	require.Positive(t, a.X(core[0].From.Add(-10*24*time.Hour)), "what is near is on it")
	marks := a.Marks([]Event{{Span: wrong, Count: 2, Shape: Tried, Weight: Full, Words: "tried"}})
	require.Len(t, marks, 1)
	require.True(t, marks[0].Early)
	require.Equal(t, "◂2", marks[0].number(), "it is said to be from before")
	require.NotContains(t, a.Draw(Track{Lines: []time.Time{wrong.From}}), "tl-moment", "a line at the edge would be at a wrong time")
}

func TestADrawingSaysInWordsWhatItShows(t *testing.T) {
	at := func(h int) Span {
		return Span{noon.Add(time.Duration(h) * time.Hour), noon.Add(time.Duration(h) * time.Hour)}
	}
	a := NewAxis([]Span{{noon, noon.Add(100 * time.Hour)}}, nil, time.UTC, time.Hour)
	source := string(a.Draw(Track{
		Bands: []Span{{noon, noon.Add(50 * time.Hour)}}, Lines: []time.Time{noon.Add(60 * time.Hour)},
		Marks: []Event{{at(10), 3, Used, Half, "used <b>"}, {at(10), 1, Used, Full, "used & more"}, {at(70), 4, Tried, Full, "tried"}},
		Life:  &Life{Dead: noon.Add(65 * time.Hour), Turns: []Event{{at(64), 1, Begun, 1, "begun"}, {at(65), 1, Dead, 3, "dead"}}},
		Log:   true, Covered: []Span{{noon, noon.Add(20 * time.Hour)}}, Gaps: []Gap{{Span{noon.Add(20 * time.Hour), noon.Add(50 * time.Hour)}, 7}},
		Bars: []Bar{{Class: "solid", Events: []Event{{at(3), 5, "", 0, "device"}}}},
	}))
	doc, err := html.Parse(bytes.NewReader([]byte(source)))
	require.NoError(t, err)
	var label string
	titles, shapes := []string{}, []string{}
	for n := range doc.Descendants() {
		for _, at := range n.Attr {
			switch {
			case n.Data == "svg" && at.Key == "aria-label":
				label = at.Val
			case n.Data == "use" && at.Key == "href":
				shapes = append(shapes, at.Val)
				require.Contains(t, Shapes(), `id="`+strings.TrimPrefix(at.Val, "#")+`"`)
			}
			require.NotEqual(t, "style", at.Key)
		}
		if n.Data == "title" {
			titles = append(titles, n.FirstChild.Data)
		}
	}
	require.Equal(t, "1 × used & more; 3 × used <b>; 4 × tried; 1 × begun; 1 × dead; 1 × stretch with lines; 1 × stretch without a record; 5 × device", label)
	require.Equal(t, []string{"#tl-used-3", "#tl-tried-3", "#tl-dead-3"}, shapes, "of two in one place the heavier is shown")
	require.Contains(t, titles, "1 × used & more, 3 × used <b>: 2022-10-10 22:00:00Z")
	require.Contains(t, titles, "no record: gap 7, 2022-10-11 08:00:00Z to 2022-10-12 14:00:00Z")
	require.Contains(t, source, `url(#tl-hatch)`)
	require.NotContains(t, CSS, "url(")
}

// Many short gaps are one hatched stretch, and their number is said; none goes
// for being too short to see.
func TestNoGapIsTooShortToBeDrawn(t *testing.T) {
	a := NewAxis([]Span{{noon, noon.Add(4 * 365 * 24 * time.Hour)}}, nil, time.UTC, time.Hour)
	var gaps []Gap
	for i := range 5 {
		from := noon.Add(time.Duration(i) * 2 * time.Hour)
		gaps = append(gaps, Gap{Span{from, from.Add(time.Hour)}, i + 1})
	}
	late := noon.Add(2 * 365 * 24 * time.Hour)
	gaps = append(gaps, Gap{Span{late, late.Add(time.Minute)}, 6})
	source := string(a.Draw(Track{Log: true, Covered: []Span{{noon, noon.Add(4 * 365 * 24 * time.Hour)}}, Gaps: gaps}))
	require.Equal(t, 2, strings.Count(source, `class="tl-gap"`))
	require.Contains(t, source, "no record: gaps 1 to 5,")
	require.Contains(t, source, "no record: gap 6,")
	require.NotContains(t, source, `width="0.00%"`)
}

// The words of a tick near the right edge of a drawing with little room are not
// cut off there: they take about 55 pixels of some 270.
func TestTheWordsOfATickAreNotCutOffAtTheEdge(t *testing.T) {
	starts := regexp.MustCompile(`text-anchor="start" x="([0-9.]+)%"`)
	for seconds := range 90 {
		a := NewAxis([]Span{{noon, noon.Add(time.Duration(20+seconds) * time.Second)}}, nil, time.UTC, time.Second)
		found := starts.FindAllStringSubmatch(string(a.Ticked(4).Head(nil)), -1)
		require.NotEmpty(t, found)
		for _, m := range found {
			at, err := strconv.ParseFloat(m[1], 64)
			require.NoError(t, err)
			require.Less(t, at, 78.0, "%d s", 20+seconds)
		}
	}
}
