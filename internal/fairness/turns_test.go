package fairness

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// diary is who came when it was whose turn.
type diary struct {
	mutex sync.Mutex
	names []string
}

func (d *diary) write(name string) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.names = append(d.names, name)
}

func (d *diary) String() string {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return strings.Join(d.names, " ")
}

// come has clients wait, one each millisecond, so that no two of them end their
// work at the same time; each works for a second.
func (d *diary) come(t *Turns, clients ...string) {
	for _, client := range clients {
		go func() {
			if !t.Take(client, time.Minute) {
				d.write("-" + client)
				return
			}
			defer t.Done()
			d.write(client)
			time.Sleep(time.Second) // the clock of the bubble
		}()
		time.Sleep(time.Millisecond)
	}
}

func TestTurns(t *testing.T) {
	for name, c := range map[string]struct {
		atOnce, waiting int
		come, want      string
	}{
		"in turn":                             {1, 20, "a a a a b b c", "a a b c a b a"},
		"two at a time":                       {2, 20, "a a a a b", "a a a b a"},
		"one alone may fill half of the room": {1, 8, "a a a a a a b", "a -a a b a a a"},
		"who comes when the line is empty":    {1, 8, "a b a", "a b a"},
		"no room at all":                      {1, 0, "a b", "a -b"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				turns, book := NewTurns(c.atOnce, c.waiting), new(diary)
				book.come(turns, strings.Fields(c.come)...)
				time.Sleep(time.Hour)
				if got := book.String(); got != c.want {
					t.Errorf("got %s, want %s", got, c.want)
				}
				turns.mustBeIdle(t, c.atOnce, c.waiting)
			})
		})
	}
	t.Run("who waits too long leaves, and nobody behind is forgotten", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			turns, book := NewTurns(1, 20), new(diary)
			if !turns.Take("worker", 0) {
				t.Fatal("nobody works")
			}
			for _, client := range []string{"a", "a", "b"} {
				go func() { book.write(fmt.Sprintf("%s %t", client, turns.Take(client, time.Second))) }()
				synctest.Wait()
			}
			time.Sleep(2 * time.Second)
			book.come(turns, "c")
			turns.Done()
			time.Sleep(time.Hour)
			if got := book.String(); strings.Count(got, " false") != 3 || !strings.HasSuffix(got, " c") {
				t.Error(got)
			}
			turns.mustBeIdle(t, 1, 20)
		})
	})
	t.Run("whose turn comes when it gives up has it, or the next one does", func(t *testing.T) {
		turns := NewTurns(1, 1000)
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				if turns.Take(fmt.Sprint(i%7), time.Duration(i)*10*time.Microsecond) {
					time.Sleep(20 * time.Microsecond)
					turns.Done()
				}
			})
		}
		all.Wait()
		turns.mustBeIdle(t, 1, 1000)
	})
}

func (t *Turns) mustBeIdle(tb testing.TB, atOnce, waiting int) {
	tb.Helper()
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.free != atOnce || t.places.free != waiting || len(t.places.held)+len(t.lines)+len(t.order) != 0 {
		tb.Errorf("%d free, %d places, lines %v, order %v", t.free, t.places.free, t.lines, t.order)
	}
}
