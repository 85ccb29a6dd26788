"""What the simulated cells are: written down here, apart from the lists that the pipeline reads and from the demo's.

Levels are UMIs per 10,000 in the population itself, rounded: for T, B, NK cells and neutrophils, and for naive T cells, near what
the lung cells of Zilionis 2019 (doi:10.1016/j.immuni.2019.03.009) hold, for the others what is known of them. Genes are what
is known of a population, whether or not a marker set of the pipeline names them; a later change of those sets does not move
the simulated cells.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A lineage of cells.

    Attributes
    ----------
    share
        Of the cells of a mouse.
    umis
        Median UMIs of a cell.
    kin
        Wider groups, whose genes it shares.
    genes
        "gene level gene level ...".
    mitochondrial
        Share of its UMIs.
    accepted
        What an annotation may call it, its own name among them: names that say the same or more.
    """

    share: float
    umis: float
    kin: tuple[str, ...]
    genes: str
    mitochondrial: float = 0.04
    accepted: tuple[str, ...] = ()


_LYMPHOID, _MYELOID = ("leucocyte", "lymphoid"), ("leucocyte", "myeloid")
_PHAGOCYTE = (*_MYELOID, "phagocyte")
_DENDRITIC = (*_MYELOID, "dendritic")
KINDS: dict[str, Kind] = {
    "T_cell": Kind(
        0.42, 3500, (*_LYMPHOID, "cytotoxic"),
        "Cd3e 3 Cd3d 4 Cd3g 4 Cd247 1 Trbc2 9 Trbc1 3 Cd2 3 Cd5 1.5 Cd6 1.5 Thy1 4 Itk 2 Lck 4 Lat 3 Skap1 2 Bcl11b 1.5 "
        "Ms4a4b 12 Cd28 1 Gimap6 4 Gimap4 4 Ltb 9 Il7r 2 Cd27 1.5 Tespa1 .6 Trat1 .8 Fyb 3 Prkcq .8",
        accepted=("T_cell", "NKT", "NKT_cell", "gamma_delta_T", "MAIT"),
    ),
    "NK_cell": Kind(
        0.09, 3000, (*_LYMPHOID, "cytotoxic"),
        "Ncr1 4 Klrb1c 7 Klrd1 7 Klre1 3 Klra8 3 Klra4 2 Klra7 2 Klra9 1.5 Klrk1 5 Eomes 3 Prf1 3 Gzma 45 Gzmb 5 Nkg7 17 "
        "Ccl5 30 Tyrobp 10 Fcer1g 12 Ctsw 8 Cma1 2 Xcl1 2 Serpinb9 2 Txk 1.5 Klri2 1 Car2 2 Il2rb 4 Irf8 2 Klrc2 1",
    ),
    "B_cell": Kind(
        0.13, 2800, _LYMPHOID,
        "Cd79a 25 Cd79b 18 Ms4a1 8 Cd19 2 Ighm 30 Ighd 10 Igkc 60 Iglc2 5 Cd74 70 H2-Aa 25 H2-Ab1 25 H2-Eb1 22 Ly6d 14 "
        "Fcmr 4 Cd37 8 Pax5 1 Ebf1 3 Bank1 1.5 Ralgps2 3 Blk 1.2 Cd22 1.5 Fcer2a 1.5 Mef2c 4 Spib 1.5 Vpreb3 2 Fcrla 1",
    ),
    "Plasma_cell": Kind(
        0.010, 7000, _LYMPHOID,
        "Jchain 120 Igkc 500 Igha 120 Ighm 80 Ighg1 40 Mzb1 25 Xbp1 25 Sdc1 4 Prdm1 1.5 Tnfrsf17 2 Irf4 2 Derl3 6 Fkbp11 5 "
        "Ssr4 20 Sec11c 10 Creld2 5 Edem1 3 Herpud1 12 Eaf2 3 Txndc5 8 Hsp90b1 25",
    ),
    "ILC2": Kind(
        0.010, 3000, _LYMPHOID,
        "Gata3 6 Il1rl1 6 Areg 12 Il7r 7 Rora 8 Hlf .6 Arg1 10 Il5 3 Il13 4 Calca 3 Klrg1 3 Icos 4 Cxcr6 8 Il2ra 3 Csf2 2 "
        "Ltb4r1 2 Ramp1 3 Thy1 5 Lmo4 4 Il17rb 1.5 Furin 3 Rgs2 6",
        accepted=("ILC", "ILC2"),
    ),
    "Neutrophil": Kind(
        0.09, 1400, _MYELOID,
        "S100a8 350 S100a9 380 Retnlg 35 Csf3r 9 Cxcr2 6 Mmp9 6 Il1r2 5 Clec4d 5 Ly6g 1.5 G0s2 8 Msrb1 14 Slpi 10 Wfdc17 15 "
        "Lcn2 8 Hdc 5 Il1b 25 Trem1 4 Mxd1 6 Grina 6 Lyz2 25 Ifitm1 15 Srgn 40 Csf1 2 Stfa2l1 5",
        0.02,
    ),
    "Classical_monocyte": Kind(
        0.07, 5500, _PHAGOCYTE,
        "Ly6c2 18 Ccr2 7 Chil3 18 Plac8 22 Fn1 9 F13a1 6 Vcan 2.5 Ms4a4c 6 Hp 8 Lyz2 70 Itgam 2 Sell 2 Ifitm3 20 Ms4a6c 8 "
        "Thbs1 4 Gda 1.5 S100a4 15 Mcemp1 3 Cybb 8 Ccl9 5 Csf1r 4 Cebpb 8 Ctss 12 Fcgr1 1 Ly86 5 Clec4a1 2",
    ),
    "Patrolling_monocyte": Kind(
        0.012, 5000, _PHAGOCYTE,
        "Treml4 4 Ace 3 Eno3 4 Cd300e 2.5 Cx3cr1 5 Nr4a1 5 Spn 2 Itgal 3 Pou2f2 4 Cd36 2 Dusp16 2 Ear2 12 Fabp4 6 Adgre4 5 "
        "Cebpb 10 Lyz2 25 Csf1r 12 Cd300ld 2 Itga4 2 Apoc2 3 Msrb1 4 Ifitm3 12 Clec4a3 4 Stap1 2 Hes1 2",
    ),
    "Monocyte_derived_macrophage": Kind(
        0.05, 9000, (*_PHAGOCYTE, "macrophage"),
        "Adgre1 2.5 Itgam 2.5 Csf1r 9 C1qa 18 C1qb 18 C1qc 15 Ms4a7 9 Mafb 3 Cd14 6 Cx3cr1 3 Lyz2 80 Fcgr1 1.5 Apoe 45 Cd68 6 "
        "Ccr2 2 Itgax .8 Fn1 1.5 Ly6c2 1.5 Trem2 4 Mrc1 3 Ctsb 25 Ctss 35 Lgals3 25 Spp1 10 Cd63 12 Ccl8 2 Aif1 6 Fcgr3 6 "
        "Ms4a6d 3 Cd74 40 H2-Aa 18 H2-Ab1 18 Tmem176b 10 Cxcl16 4",
        accepted=("Monocyte_derived_macrophage", "Tumour_associated_macrophage", "TAM", "Macrophage"),
    ),
    "Kupffer_cell": Kind(
        0.04, 11000, (*_PHAGOCYTE, "macrophage"),
        "Clec4f 14 Timd4 3 Vsig4 9 Marco 5 Cd5l 28 Folr2 3 Slc40a1 6 Clec1b 3 Fabp7 1 Cdh5 1 Id3 6 Hmox1 6 C1qa 35 C1qb 36 "
        "C1qc 30 Adgre1 4 Csf1r 9 Cd68 4 Mafb 2.5 Lyz2 20 Apoe 40 Fcna 2 C6 3 Nr1h3 1.5 Spic 1 Cd163 2 Ctsb 15 Ctsc 18 Cfp 6 "
        "Cd74 20 H2-Aa 8 H2-Ab1 8 Il18bp 3 Ccl24 1.5 Creg1 5 Wfdc17 12 Sdc3 3 Axl 2.5",
    ),
    "cDC1": Kind(
        0.012, 8000, _DENDRITIC,
        "Xcr1 4 Clec9a 4 Irf8 18 Batf3 2.5 Cadm1 2 Wdfy4 4 Tlr3 2 Itgae 3 Flt3 3 Naaa 14 Ppt1 10 Cst3 50 Cd24a 5 Id2 15 "
        "Plbd1 12 Rab7b 2 Ifi205 3 Snx22 1 Gcsam 1.5 Ckb 4 Cd74 90 H2-Aa 40 H2-Ab1 40 H2-Eb1 38 Cxcl9 2 Sept3 1.5 Itgax 2",
    ),
    "cDC2": Kind(
        0.018, 7500, (*_DENDRITIC, "phagocyte"),
        "Cd209a 8 Clec10a 4 Mgl2 5 Itgax 4 Sirpa 4 Irf4 .8 Flt3 3 Ccr2 2 Clec4a4 1 Cd74 100 H2-Aa 48 H2-Ab1 48 H2-Eb1 45 "
        "H2-DMb2 8 Cst3 40 Lyz2 14 Itgam 1 Ifi30 8 Tnip3 3 Epcam .6 Cd24a 2 Plbd1 4 Ms4a4c 2 Ahnak 5 Klrd1 1 Napsa 8 Syngr2 5",
    ),
    "mregDC": Kind(
        0.010, 8000, _DENDRITIC,
        "Ccr7 14 Fscn1 14 Ccl22 14 Ccl5 40 Cacnb3 4 Nudt17 3 Socs2 6 Cd200 3 Cd274 3 Il12b 3 Tmem123 25 Relb 6 Samsn1 12 "
        "Il4i1 8 Apol7c 4 Ccl17 10 Traf1 7 Marcksl1 15 Birc2 3 Cd83 6 Anxa3 2 Serpinb6b 6 Cd74 90 H2-Aa 35 H2-Ab1 35 Cst3 25 "
        "Epsti1 6 Basp1 14 Stat4 1",
    ),
    "pDC": Kind(
        0.010, 4500, ("leucocyte", "dendritic"),
        "Siglech 18 Bst2 28 Ccr9 6 Tcf4 10 Ly6d 16 Irf8 22 Pacsin1 1.2 Cox6a2 6 Klk1 3 Atp1b1 8 Runx2 5 Smim5 4 Lair1 4 "
        "Rnase6 6 Upb1 1 Cd209d 1 Ly6c2 14 Blnk 2.5 Spib 2 Flt3 2 Cd8a 1 Dntt .4 Mpeg1 8 Plac8 25 Ly6a 6 Sell 3 Ctsl 14",
    ),
    "Basophil": Kind(
        0.010, 3000, _MYELOID,
        "Mcpt8 40 Cd200r3 8 Prss34 6 Fcer1a 6 Ms4a2 6 Gata2 5 Hdc 14 Cyp11a1 4 Il4 4 Il6 4 Ifitm1 30 Cpa3 4 Csf1 4 Ccl3 30 "
        "Ccl4 30 Osm 4 Itga2 1 Il13 1.5 Ccl6 14 Lilrb4 3 Aqp9 1 Hgf 1 Alox5ap 14 Cd69 8 Csf2rb 4 Tspan13 4",
    ),
    "Hepatocyte": Kind(
        0.010, 11000, ("parenchyma",),
        "Alb 320 Apoa1 130 Apoa2 130 Ttr 110 Apoc3 60 Apoc1 90 Fgb 45 Fga 30 Fgg 30 Serpina1a 70 Serpina1c 50 Trf 45 Ahsg 35 "
        "Hp 35 Mup20 40 Cyp2e1 40 Cyp3a11 10 Ass1 18 Cps1 14 Aldob 40 Fabp1 80 Rbp4 45 Hnf4a 1 Gnmt 15 Apoe 100 Gc 20 Ambp 14 "
        "Serpina3k 50 Hpx 20 Vtn 18",
        0.10,
    ),
    "Sinusoidal_endothelium": Kind(
        0.010, 5000, ("stroma",),
        "Stab2 8 Clec4g 18 Fcgr2b 10 Lyve1 8 Kdr 8 Pecam1 6 Oit3 4 Gpr182 3 Dnase1l3 24 Ptprb 7 Cdh5 5 Egfl7 16 Flt1 4 Tie1 2 "
        "Igfbp7 30 Sparc 20 Eng 10 Ehd3 5 Ctla2a 8 Aqp1 6 Cldn5 3 Ramp2 14 Bmp2 4 Mrc1 8 Stab1 8 Tm4sf1 6 Cyp4b1 1 Plpp3 6",
        accepted=("Endothelial_cell", "LSEC", "Sinusoidal_endothelium"),
    ),
    "Fibroblast": Kind(
        0.006, 6000, ("stroma",),
        "Col1a1 50 Col1a2 45 Col3a1 60 Dcn 40 Lum 14 Pdgfra 3 Pdgfrb 3 Col5a1 4 Mmp2 6 Sparc 50 Bgn 14 Fbln1 4 Serping1 12 Mgp "
        "40 Gsn 40 Igfbp7 20 Col6a1 10 Col6a2 9 Fap 1 Acta2 6 Tagln 8 Thy1 2 Fstl1 10 Loxl1 2 Postn 5 C1s1 4 Timp2 12",
        accepted=("Fibroblast", "Stellate_cell", "Fibroblast_CAF"),
    ),
}  # fmt: skip

#: Genes of every leucocyte, and nobody else's.
LEUCOCYTE = "Ptprc 6 Laptm5 14 Coro1a 18 Cd52 20 Cd53 9 Cd48 3 Arhgdib 14 Rac2 8 Cytip 4 Srgn 15"


@dataclass(frozen=True)
class TState:
    """A state of T cells.

    Attributes
    ----------
    share
        Of the T cells.
    subset
        "CD8", "CD4", "gamma_delta", "NKT", "MAIT": whose receptors it carries.
    genes
        What is known to be up in it, at its level there; other states hold .4 to 2 log2 less.
    accepted
        What a call may be.
    core
        Whether the smaller study has it.
    """

    share: float
    subset: str
    genes: str
    accepted: tuple[str, ...] = ()
    core: bool = True


#: On in the subset, nearly silent in other T cells.
SUBSETS = {
    "CD8": "Cd8a 4 Cd8b1 8 Trac 6",
    "CD4": "Cd4 3 Trac 6 Cd40lg .4",
    "gamma_delta": "Trdc 8 Tcrg-C1 6 Tcrg-C2 3 Tcrg-C4 2 Trdv4 .8",
    "NKT": "Trac 6 Zbtb16 1.5 Klrb1c 2.5 Trav11 .8 Traj18 .4 Il2rb 3",
    "MAIT": "Trac 6 Zbtb16 1.8 Trav1 1 Traj33 .5 Il18r1 2 Rorc 1",
}
#: Master regulators: on in these states, nearly silent in others.
MASTERS = {
    "Treg": "Foxp3 1.5 Ikzf2 2",
    "Treg_effector": "Foxp3 2.2 Ikzf2 2",
    "CD4_Tfh": "Cxcr5 1.2 Bcl6 1 Il21 .8",
    "CD4_Th17": "Rorc 1.2 Il17a 2 Il17f .5 Il23r .6",
}
STATES: dict[str, TState] = {
    "CD8_naive_like": TState(
        0.14, "CD8", "Sell 7 Ccr7 5 Lef1 4.5 Tcf7 6 Il7r 5 Igfbp4 6 Dapl1 3 Satb1 5 S1pr1 9 Klf2 10 Txnip 13 Bach2 1.1 Ly6c1 5"
    ),
    "CD8_central_memory": TState(
        0.05, "CD8", "Sell 4 Ccr7 2 Tcf7 5 Il7r 5 Cd44 3.5 Cd27 3 Eomes 2.5 Id3 1.2 Ly6c2 14 Cxcr3 4 Il2rb 4 Klf2 8 Ccl5 25 "
        "Bcl2 3 Ifngr1 3 S1pr1 6 Lef1 2",
        core=False,
    ),
    "CD8_early_activated": TState(
        0.10, "CD8", "Cd69 7 Cd44 3.5 Icos 3 Il2ra 3 Tnfrsf9 4 Tnfrsf4 3 Irf4 3 Nr4a1 4 Nr4a3 2.5 Myc 3 Egr2 2 Tnf 2 Ifng 2.5 "
        "Cd28 2 Pdcd1 1.5 Klrk1 2.5 Batf 3 Nme1 8 Srm 4 Odc1 6 Crtam 3",
        ("CD8_activated", "CD8_early_activated"),
    ),
    "CD8_effector": TState(
        0.06, "CD8", "Klrg1 4 Gzmb 14 Gzma 20 Prf1 3 Cx3cr1 2.5 Tbx21 2.5 Zeb2 3 S1pr5 1.5 Id2 12 Ifng 2.5 Ccl5 50 Nkg7 25 "
        "Ccl4 6 Lgals1 25 S100a4 18 S100a6 25 Klrc1 2 Itgb1 4",
        core=False,
    ),
    "CD8_effector_memory": TState(
        0.08, "CD8", "Gzmk 9 Ccl5 45 Eomes 2 Cd44 3 Klrg1 1.8 Nkg7 20 Ccl4 5 Il7r 2.5 Id2 9 Prdm1 1 Ifng 1.5 Tbx21 1.5 Cxcr3 4 "
        "Gzmb 2.5 Gzmm 3 Cd48 8 Ahnak 4 Itgb1 3 Cx3cr1 1 S1pr5 .6",
    ),
    "CD8_Tpex": TState(
        0.05, "CD8", "Tcf7 5 Slamf6 4.5 Pdcd1 4 Tox 3 Xcl1 5 Id3 3 Cxcr5 .8 Cd200 1.5 Ikzf2 1 Icos 2.5 Traf1 2 Myb .8 Bach2 1.2 "
        "Lef1 1.2 Cd28 1.6 Il7r 2 Tnfsf8 2 Ccl5 14 Lag3 2 Rgs10 5",
    ),
    "CD8_Tex": TState(
        0.07, "CD8", "Pdcd1 6 Havcr2 3 Tox 4 Lag3 7 Tigit 3 Ctla4 3 Entpd1 2.5 Cd160 2 Cxcr6 7 Nr4a2 4 Rgs16 5 Ccl3 9 Ccl4 18 "
        "Cd38 1.5 Cd101 .8 Tnfrsf9 4 Gzmb 12 Serpina3g 4 Bhlhe40 4 Cd7 3 Layn .3 Casp3 3 Glrx 5 Cd244a 1.2 Lilrb4a 1.2",
    ),
    "CD8_resident": TState(
        0.05, "CD8", "Itga1 2.5 Itgae 3 Cxcr6 8 Cd69 6 Zfp683 2 Xcl1 4 Rgs1 12 Rgs2 6 Hic1 .4 P2rx7 1.5 Cd101 .8 Prdm1 1.2 "
        "Cd244a 1 Gzmb 4 Inpp4b 2 Ccl4 4 Runx3 4 Jaml 2",
        ("CD8_resident", "CD8_resident_memory", "CD8_tissue_resident", "CD8_Trm", "T_tissue_resident"),
        core=False,
    ),
    "CD4_naive_like": TState(
        0.12, "CD4", "Sell 5 Ccr7 4.6 Lef1 8 Tcf7 7 Il7r 6 Igfbp4 12 S1pr1 11 Klf2 8 Satb1 9 Txnip 16 Bach2 .9 Ramp3 1 Dapl1 2.2"
    ),
    "CD4_Th1": TState(
        0.07, "CD4", "Cxcr3 4 Tbx21 1.8 Ifng 3.5 Stat4 3 Il12rb2 2 Il18r1 2 Cxcr6 6 Ccr5 2 Bhlhe40 5 Tnf 2 Csf2 .8 Cd44 3.5 Nkg7 "
        "6 Ccl5 12 Id2 9 Ly6a 8 Selplg 5 Ifngr1 3",
    ),
    "CD4_Tfh": TState(
        0.04, "CD4", "Pdcd1 4 Icos 4 Izumo1r 5 Tox2 1 Sh2d1a 3 Slamf6 3 Maf 4 Cd40lg 1.5 Tcf7 4 Il4 1 Cd200 2 Ascl2 .4 Hif1a 4 "
        "Rgs10 5 Angptl2 .6 Tnfsf8 2",
    ),
    "CD4_Th17": TState(
        0.04, "CD4", "Ccr6 2 Il1r1 1 Rora 4 Tmem176a 7 Tmem176b 9 Il22 .6 Cd44 3 Cxcr6 6 Ltb4r1 1.5 Aqp3 1.5 S100a4 15 Maf 3 "
        "Il18r1 1 Ramp1 2 Ccr5 1 Stat3 3",
    ),
    "Treg": TState(
        0.06, "CD4", "Il2ra 4 Ctla4 4 Tnfrsf18 7 Tnfrsf4 6 Izumo1r 3 Capg 4 Lrrc32 .6 Sell 2 Gpr83 1.5 Nrp1 1.5 Folr4 .3 Cd81 3 "
        "Socs2 1 Ccr7 2 Il10 .3 Tnfrsf9 1.5",
        ("Treg", "Treg_resting"),
    ),
    "Treg_effector": TState(
        0.04, "CD4", "Il2ra 4 Ctla4 7 Tnfrsf18 9 Tnfrsf4 8 Ccr8 2 Tnfrsf9 4 Klrg1 3 Il1rl1 1.5 Batf 5 Ebi3 1 Il10 1.2 Icos 5 "
        "Entpd1 2 Tnfrsf8 .5 Gzmb 4 Capg 7 Rgs1 12 S100a4 15 Il1r2 .6 Tigit 3 Itgae 2",
        ("Treg", "Treg_effector", "Treg_effector_tumour"),
        core=False,
    ),
    "gamma_delta_T": TState(
        0.03, "gamma_delta", "Blk 1.2 Maf 3 Sox13 .7 Cd163l1 1.5 Rorc 1 Il17a 1 Cxcr6 5 Cd44 2.5 Id2 9 Il7r 4 Ccr6 .8 Tcrg-V6 1.5 "
        "Actn2 .5 Il18r1 1.5 Rora 3 Kcnk1 .6 Ltb4r1 1.2 Il1r1 .6 Il23r .5",
    ),
    "NKT": TState(
        0.04, "NKT", "Cxcr6 9 Tbx21 2 Ly6c2 2.5 Slamf6 2 Xcl1 5 Nkg7 12 Il4 .5 Id2 10 Ccl5 12 Gzmb 1.5 Klrd1 2 Klrc1 1.5 Ctla2a "
        "4 Il18r1 1.5 Cd160 1 Ifngr1 4 Stat4 2",
    ),
    "MAIT": TState(
        0.02, "MAIT", "Il7r 5 Cxcr6 8 Blk 1 Tmem176a 5 Tmem176b 7 Il23r .5 Ccr6 1 Maf 3 Rora 4 Ltb4r1 1.5 Aqp3 1.5 Il1r1 .5 Cd44 3 "
        "Icos 4 Ramp1 2 Id2 8",
        core=False,
    ),
}  # fmt: skip

#: Genes that resting and other T cells hardly hold: in the lung's naive T cells (Zilionis 2019) Gzmb is at .03 UMIs per 10,000,
#: Ctla4 at .1, Il2ra at .05, S100a4 at .1, in activated ones a hundred times that. The others (Cd44, Id2, Il7r) are graded.
SHARP_TEXT = (
    "Gzma Gzmb Gzmk Prf1 Ifng Tnf Ccl3 Ccl4 Ccl5 Nkg7 Klrg1 Cx3cr1 S1pr5 Zeb2 Pdcd1 Havcr2 Lag3 Tigit Ctla4 Entpd1 Cd160 Cd101 "
    "Tox Cxcr6 Xcl1 Sell Ccr7 Lef1 Igfbp4 Dapl1 Il2ra Tnfrsf4 Tnfrsf9 Egr2 Nr4a3 Itga1 Itgae Zfp683 Tbx21 Cxcr3 Ccr5 Il12rb2 "
    "Izumo1r Sh2d1a Tox2 Ccr6 Il1r1 Tmem176a Tmem176b Il22 Ccr8 Il1rl1 Il10 Tnfrsf8 Ebi3 S100a4 Blk Cd163l1 Sox13 Klrd1 Klrc1 "
    "Layn Cd38 Rgs16 Csf2 Il4 Lrrc32"
)
SHARP = frozenset(SHARP_TEXT.split())

#: Programmes on top of an identity: (share of T cells, genes, log2 change, what a call may be besides the identity).
CYCLING = (
    "Mki67 Top2a Birc5 Stmn1 Pclaf Tyms Mcm5 Pcna Ube2c Cdk1 Ccnb2 Tubb5 H2az1 Hmgb2 Nusap1 Cenpf Cenpe Rrm1 Rrm2 Tk1 Dut "
    "Mcm3 Mcm6 Smc2 Smc4 Kif11 Tpx2 Aurkb Cks1b Cks2 Hmgn2 Tuba1b Lmnb1 Ranbp1"
)
INTERFERON = (
    "Ifit1 Ifit3 Ifit3b Isg15 Isg20 Irf7 Stat1 Bst2 Mx1 Oasl2 Rsad2 Usp18 Rtp4 Ifi27l2a Zbp1 Slfn5 Xaf1 Ifi203 Ifi206 Ifi47 "
    "Igtp Gbp2 Trim30a Phf11b Samhd1 Ddx58 Parp14 Herc6"
)
OVERLAYS = {
    "cycling": (0.06, CYCLING, 3.0, ("T_proliferating", "T_cycling", "CD8_cycling", "CD4_cycling")),
    "interferon": (0.04, INTERFERON, 2.5, ("T_IFN_stimulated", "CD8_IFN_stimulated", "CD4_IFN_stimulated")),
}


def levels(text: str) -> dict[str, float]:
    """Read "gene level gene level ..."."""
    words = text.split()
    return {gene: float(level) for gene, level in zip(words[::2], words[1::2], strict=True)}


#: What another design may say beside a state: true state -> the flag of a programme that makes any call of it right.
PROGRAMMES = {"CD8_resident": "resident"}
#: Calls that are true of several states and commit to none: as good as no call.
HEDGED = frozenset({"T_naive_like", "T_other"})


def accepted(name: str) -> tuple[str, ...]:
    """What a call of a lineage or state may be and be right."""
    entry = KINDS[name].accepted if name in KINDS else STATES[name].accepted
    return entry or (name,)


def named_genes() -> list[str]:
    """Every gene named here, once, in order."""
    texts = [kind.genes for kind in KINDS.values()] + [state.genes for state in STATES.values()]
    texts += [*SUBSETS.values(), *MASTERS.values(), LEUCOCYTE]
    genes = [gene for text in texts for gene in levels(text)]
    return list(dict.fromkeys([*genes, *CYCLING.split(), *INTERFERON.split()]))
