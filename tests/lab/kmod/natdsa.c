// SPDX-License-Identifier: GPL-2.0-only
/*
 * A switch chip with two ports that are always up and nothing behind: who reads
 * the conduit's frames, with MediaTek's tags, is the rest of the chip.
 *
 *   insmod natdsa.ko conduit=DEV	DEV in the network namespace of who asks; makes
 *					lan0 and lan1 in the first namespace
 */
#include <linux/mii.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/nsproxy.h>
#include <linux/phy.h>
#include <linux/phylink.h>
#include <linux/platform_device.h>
#include <linux/sched.h>
#include <net/dsa.h>
#include <net/net_namespace.h>

#define USER_PORTS 2
#define CPU_PORT 6	/* as on the MT7530 */

static char *conduit;
module_param(conduit, charp, 0);
MODULE_PARM_DESC(conduit, "the device whose other end is the switch");

static struct platform_device *chip;

static enum dsa_tag_protocol get_tag_protocol(struct dsa_switch *ds, int port,
					      enum dsa_tag_protocol was)
{
	return DSA_TAG_PROTO_MTK;
}

static int setup(struct dsa_switch *ds)
{
	return 0;
}

static void get_caps(struct dsa_switch *ds, int port, struct phylink_config *config)
{
	__set_bit(PHY_INTERFACE_MODE_GMII, config->supported_interfaces);
	config->mac_capabilities = MAC_1000FD;
}

/* A transceiver that has negotiated 1000BASE-T, full duplex (IEEE 802.3 clause 22 and annex 28). */
static int mii_read(struct dsa_switch *ds, int port, int reg)
{
	switch (reg) {
	case MII_BMCR:
		return BMCR_ANENABLE | BMCR_SPEED1000 | BMCR_FULLDPLX;
	case MII_BMSR:
		return BMSR_LSTATUS | BMSR_ANEGCAPABLE | BMSR_ANEGCOMPLETE | BMSR_ESTATEN;
	case MII_PHYSID1:
	case MII_PHYSID2:
		return 1;
	case MII_ADVERTISE:
	case MII_LPA:
		return ADVERTISE_CSMA | LPA_LPACK;
	case MII_CTRL1000:
		return ADVERTISE_1000FULL;
	case MII_STAT1000:
		return LPA_1000FULL;
	case MII_ESTATUS:
		return ESTATUS_1000_TFULL;
	default:
		return 0;
	}
}

static int mii_write(struct dsa_switch *ds, int port, int reg, u16 value)
{
	return 0;
}

static const struct dsa_switch_ops switch_ops = {
	.get_tag_protocol = get_tag_protocol,
	.setup = setup,
	.phylink_get_caps = get_caps,
	.phy_read = mii_read,
	.phy_write = mii_write,
};

static int chip_probe(struct platform_device *pdev)
{
	struct dsa_switch *ds = devm_kzalloc(&pdev->dev, sizeof(*ds), GFP_KERNEL);

	if (!ds)
		return -ENOMEM;
	ds->dev = &pdev->dev;
	ds->num_ports = CPU_PORT + 1;
	ds->phys_mii_mask = BIT(USER_PORTS) - 1;
	ds->ops = &switch_ops;
	platform_set_drvdata(pdev, ds);
	return dsa_register_switch(ds);
}

static struct platform_driver chip_driver = {
	.driver = { .name = "natdsa", .suppress_bind_attrs = true },
	.probe = chip_probe,
};

static int __init natdsa_init(void)
{
	struct dsa_chip_data data = { .port_names = { "lan0", "lan1", [CPU_PORT] = "cpu" } };
	struct net_device *dev;
	int err;

	dev = conduit ? dev_get_by_name(current->nsproxy->net_ns, conduit) : NULL;
	if (!dev)
		return -ENODEV;
	data.netdev[CPU_PORT] = &dev->dev;
	err = platform_driver_register(&chip_driver);
	if (err)
		goto out;
	chip = platform_device_register_data(NULL, "natdsa", PLATFORM_DEVID_NONE, &data,
					     sizeof(data));
	err = PTR_ERR_OR_ZERO(chip);
	if (!err && !platform_get_drvdata(chip))
		err = -EIO;
	if (err) {
		if (!IS_ERR(chip))
			platform_device_unregister(chip);
		platform_driver_unregister(&chip_driver);
	}
out:
	dev_put(dev);
	return err;
}
module_init(natdsa_init);

static void __exit natdsa_exit(void)
{
	dsa_unregister_switch(platform_get_drvdata(chip));
	platform_device_unregister(chip);
	platform_driver_unregister(&chip_driver);
}
module_exit(natdsa_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("a switch of the lab's");
