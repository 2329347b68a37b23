package watch

import (
	"path/filepath"
	"sync"

	"github.com/fsnotify/fsnotify"
)

// hub shares one watcher among all files. Many systems allow 128 watchers for each
// user, and a configuration may have a thousand files.
type hub struct {
	mutex   sync.Mutex
	watcher *fsnotify.Watcher // nil without a subscription
	folders map[string]map[*subscription]struct{}
}

// subscription gets the changes of a folder.
type subscription struct {
	hub    *hub
	folder string

	// notices has nil for each change, and errors of the watcher. One unread notice is
	// enough for several changes.
	notices chan error
}

var shared hub

func (h *hub) subscribe(folder string) (*subscription, error) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if h.watcher == nil {
		watcher, err := fsnotify.NewWatcher()
		if err != nil {
			return nil, err
		}
		h.watcher, h.folders = watcher, make(map[string]map[*subscription]struct{})
		go h.distribute(watcher)
	}
	s := &subscription{hub: h, folder: filepath.Clean(folder), notices: make(chan error, 1)}
	if h.folders[s.folder] == nil {
		if err := h.watcher.Add(s.folder); err != nil {
			h.endUnused()
			return nil, err
		}
		h.folders[s.folder] = make(map[*subscription]struct{})
	}
	h.folders[s.folder][s] = struct{}{}
	return s, nil
}

// end stops the notices. The watcher ends with the last subscription.
func (s *subscription) end() {
	h := s.hub
	h.mutex.Lock()
	defer h.mutex.Unlock()
	delete(h.folders[s.folder], s)
	if len(h.folders[s.folder]) == 0 {
		delete(h.folders, s.folder)
		_ = h.watcher.Remove(s.folder) // the folder may be gone, and with it the watch
	}
	h.endUnused()
}

func (h *hub) endUnused() {
	if len(h.folders) == 0 {
		_ = h.watcher.Close() // no subscription is left
		h.watcher = nil
	}
}

// distribute sends the events of a watcher to the subscriptions until it is closed.
func (h *hub) distribute(watcher *fsnotify.Watcher) {
	for {
		select {
		case event, open := <-watcher.Events:
			if !open {
				return
			}
			h.notify(nil, filepath.Dir(event.Name), event.Name) // a moved folder is named itself
		case err, open := <-watcher.Errors:
			if !open {
				return
			}
			h.notifyAll(err)
		}
	}
}

func (h *hub) notify(notice error, folders ...string) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	for _, folder := range folders {
		for s := range h.folders[folder] {
			s.notify(notice)
		}
	}
}

func (h *hub) notifyAll(notice error) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	for _, subscribed := range h.folders {
		for s := range subscribed {
			s.notify(notice)
		}
	}
}

func (s *subscription) notify(notice error) {
	select {
	case s.notices <- notice:
	default:
	}
}
