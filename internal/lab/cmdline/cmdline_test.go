package cmdline

import "testing"

func TestCheck(t *testing.T) {
	p, err := Known("../../../docs/man")
	if err != nil {
		t.Fatal(err)
	}
	yes, no := true, false
	mac6, mac7, linux := Laptop{"darwin", &no}, Laptop{"darwin", &yes}, Laptop{"linux", &no}
	for _, c := range []struct {
		line string
		on   Laptop
		ok   bool
	}{
		{"docker-vpn-helper fix default", linux, true},
		{"docker-vpn-helper -s '/my store' fix --port 2377 default", linux, true},
		{"docker-vpn-helper fix --prot 2377 default", linux, false},
		{"docker-vpn-helper repair default", linux, false},
		{"docker-vpn-helper fix one two", linux, false},
		{"docker-vpn-helper explain route.stale", linux, true},
		{"docker-vpn-helper modules restart", mac6, true},
		{"docker-vpn-helper guard start -H local --public auto --allow 443", linux, true},
		{"docker-vpn-helper allow --help", linux, true},
		{"docker-vpn-helper allwo --help", linux, false},
		{"docker-vpn-helper allow --list", linux, true},
		{"docker-vpn-helper allow", linux, false},
		{"docker-vpn-helper ls --storage-path=/x --json=true", linux, true},
		{"docker-vpn-helper ls --json=maybe", linux, false},
		{"docker-vpn-helper explain -- docker ps", linux, true},
		{"docker-vpn-helper help cert show", linux, true},
		{"docker-vpn-helper guard begin -H local", linux, false},
		{`eval "$(docker-vpn-helper env default)"`, linux, true},
		{`eval "$(docker-vpn-helper evn default)"`, linux, false},
		{"VBoxManage hostonlyif create", mac6, true},
		{"VBoxManage hostonlyif create", mac7, false},
		{"VBoxManage modifyvm default --nic2 hostonlynet --host-only-net2 'Legacy vboxnet0 Network'\ndocker-vpn-helper fix default", mac7, true},
		{"VBoxManage modifyvm default --nic2 hostonlynet --host-only-net2 n", mac6, false},
		{"VBoxManage modifyvm default --nic9 nat", mac6, false},
		{"VBoxManage controlvm default natpf1 ssh,tcp,127.0.0.1,50022,,22", mac6, true},
		{"VBoxManage controlvm default natpf1 ssh,tcp,127.0.0.1,0,,22", mac6, false},
		{"docker-machine ip default", mac6, true},
		{"docker-machine ip default", mac7, false},
		{"docker-machine -s /s regenerate-certs --client-certs a; docker-machine -s /s regenerate-certs b c", linux, true},
		{"docker-machine regenerate-certs a --client-certs", linux, false},
		{`docker-machine ssh default "sudo date -u -s @$(date +%s)"`, linux, true},
		{"sudo mkdir -p /etc/vbox && printf '\\n%s\\n' '* 192.168.99.0/24' | sudo tee -a /etc/vbox/networks.conf", linux, true},
		{"sudo rm -rf /etc/vbox", linux, false},
		{"brew install docker", linux, false},
		{"echo 'no end", linux, false},
		{"wget http://example.com", linux, false},
	} {
		if err := p.Check(c.line, c.on); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.line, err)
		}
	}
}
