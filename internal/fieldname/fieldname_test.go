package fieldname

import "testing"

func TestFold(t *testing.T) {
	for _, separator := range "!#$%&'*+-.^_`|~" { // what a name may have besides letters and digits, RFC 9110 §5.6.2
		t.Run("R9700-3: X"+string(separator)+"User-2", func(t *testing.T) {
			if got := Fold("X" + string(separator) + "User-2"); got != "x-user-2" {
				t.Errorf("got %s", got)
			}
		})
	}
	for _, other := range []string{"XUser", "X-User-", "X--User", "X-Users", ""} {
		t.Run("R9700-3: another name: "+other, func(t *testing.T) {
			if got := Fold(other); got == "x-user" {
				t.Errorf("got %s", got)
			}
		})
	}
}
