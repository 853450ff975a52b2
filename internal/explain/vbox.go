package explain

// vboxEntries are VirtualBox's messages about VMs; those about its networks are
// in vboxnet.go.
func vboxEntries() []Entry {
	return []Entry{
		{
			ID:     "vbox.vboxmanage-missing",
			Means:  "VBoxManage is neither in PATH nor where VirtualBox installs it, or cannot be run from here.",
			Causes: []string{"VirtualBox is not installed, or was removed", "on Windows: VBOX_MSI_INSTALL_PATH is not set", "in WSL: VirtualBox is Windows'"},
			Run:    []string{"VBoxManage --version", "brew install --cask virtualbox"},
			Source: "docker/machine b170508b, drivers/virtualbox/vbm.go; kubernetes/minikube#3784",
			match:  []string{"vboxmanage not found", "vboxmanage: command not found", "command not found: vboxmanage", "'vboxmanage' is not recognized as", "vboxmanage: not found", "vboxmanage\": executable file not found", "vboxmanage.exe: command not found", "vboxmanage: befehl nicht gefunden", "vboxmanage: commande introuvable", "unable to find virtualbox", "pr_vboxmanage_not_found", "[vbox_not_found]", "vboxmanage --version returned: exit status 126", "precreate: exit status 126", "unable to find vboxmanage in", "provider_virtualbox_not_found"},
		},
		{
			ID:     "vbox.too-old",
			Means:  "docker-machine wants VirtualBox 5 or later.",
			Causes: []string{"an old VirtualBox"},
			Run:    []string{"VBoxManage --version"},
			Source: "docker/machine b170508b, drivers/virtualbox/virtualbox.go",
			match:  []string{"we support virtualbox starting with version 5. your virtualbox install is \"4.", "we support virtualbox starting with version 5. your virtualbox install is \"3.", "docker-machine requires virtualbox version 5"},
		},
		{
			ID:     "vbox.rule-exists",
			Means:  "the VM has a NAT rule of that name, or for that port, already.",
			Causes: []string{"a script added it before: rules survive a restart"},
			Run:    []string{"docker-vpn-helper fix {machine}   # adopts a rule that leads to dockerd, whatever its name", "VBoxManage showvminfo {machine} --machinereadable | grep Forwarding"},
			Source: "VirtualBox, NATEngineImpl.cpp",
			match:  []string{"a nat rule of this name already exists", "a nat rule for this host port and this host ip already"},
		},
		{
			ID:     "vbox.rule-missing",
			Means:  "the VM has no NAT rule of the name that was to be removed, or another card than the first has it.",
			Causes: []string{"somebody, or docker-machine, removed it before", "the name is mistyped"},
			Run:    []string{"VBoxManage showvminfo {machine} --machinereadable | grep Forwarding"},
			Source: "VirtualBox, NATEngineImpl.cpp, VBoxManageModifyVM.cpp",
			match:  []string{"vboxmanage…context: \"removeredirect("},
		},
		{
			ID:     "vbox.shared-folder",
			Means:  "the VM has a shared folder of that name already, or the one that it has leads to a directory that is gone.",
			Causes: []string{"it was added before: folders stay with the VM", "the directory was moved, or its disk is not mounted"},
			Run:    []string{"VBoxManage showvminfo {machine} --machinereadable | grep SharedFolder", "VBoxManage sharedfolder remove {machine} --name NAME"},
			Source: "VirtualBox, MachineImpl.cpp, SharedFolderImpl.cpp; boot2docker/windows-installer#63",
			match:  []string{"shared folder named '…already exists", "shared folder path '…is not absolute", "shared folder path '…does not exist"},
		},
		{
			ID:      "vbox.start-failed",
			Means:   "VirtualBox could not start the VM; the lines around this one say why, or the VM's log.",
			Causes:  []string{"the kernel modules are not loaded", "the host-only adapter is gone or disabled", "no VT-x, or another hypervisor holds it"},
			Run:     []string{"VBoxManage startvm {machine} --type headless", "tail -n 50 ~/.docker/machine/machines/{machine}/{machine}/Logs/VBox.log", "docker-vpn-helper doctor {machine}"},
			Source:  "VirtualBox, MachineImpl.cpp, ConsoleImpl.cpp; kubernetes/minikube#5994, #6581; hashicorp/vagrant#8293",
			match:   append(each([]string{"details: code e_fail (0x80004005), component", "details: code ns_error_failure (0x80004005), component"}, "interface imachine", "interface iconsole", "interface isession"), "startvm…--type headless failed:", "failed to open a session for the virtual machine…result code: e_fail", "failed to open a session for the virtual machine…result code: ns_error_failure"),
			general: true,
		},
		{
			ID:      "vbox.usage",
			Means:   "this VirtualBox does not know that command or option, or not in that form: they change between versions.",
			Causes:  []string{"a script or note for another version of VirtualBox", "an argument with a space without quotes"},
			Run:     []string{"VBoxManage --version", "VBoxManage help modifyvm"},
			Source:  "VirtualBox, VBoxManage.cpp, VBoxManageUtils.cpp",
			match:   []string{"vboxmanage: error: invalid parameter '", "vboxmanage.exe: error: invalid parameter '", "vboxmanage: error: unknown option:", "vboxmanage.exe: error: unknown option:", "vboxmanage: error: invalid port forwarding rule", "syntax error: invalid option:…virtualbox command line", "oracle vm virtualbox command line management interface…syntax error"},
			general: true,
		},
		{
			ID:     "vbox.port-taken",
			Means:  "VirtualBox's NAT could not listen on a port of the laptop: the rule exists and does nothing.",
			Causes: []string{"another VM's rule has the same port", "another program listens on it"},
			Run:    []string{"lsof -nP -iTCP:2376 -sTCP:LISTEN", "docker-vpn-helper fix {machine}"},
			Code:   "forward.port-taken",
			Source: "VirtualBox, DrvNAT.cpp (VBox.log)",
			match:  []string{"nat#…failed to redirect tcp", "nat: failed to redirect tcp", "failed to set up redirection of…probably a conflict with existing services", "could not set up port forwarding…natpf", "would collide with some other application that is already listening", "would collide with another virtualbox virtual machine's forwarded"},
		},
		{
			ID:     "vbox.com",
			Means:  "VBoxManage could not talk to VirtualBox's own service, VBoxSVC.",
			Causes: []string{"VBoxSVC of another version or user still runs", "~/.VirtualBox or ~/Library/VirtualBox belongs to root", "Windows: VirtualBox is not installed whole (class not registered)"},
			Run:    []string{"ps ax | grep VBoxSVC   # end it when no VM runs", "ls -ld ~/Library/VirtualBox ~/.config/VirtualBox"},
			Source: "VirtualBox, VBoxManage.cpp",
			match:  []string{"failed to create the virtualbox object", "failed to create a session object", "failed to initialize com", "virtualbox com server is not running", "failed to acquire the virtualbox com object", "failed to start virtualbox's com"},
		},
	}
}
